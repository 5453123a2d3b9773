//! The windows of OVER as they are written, by name or in place, and which rows their frames take in.

use sqlparser::ast::{
    Expr as Ast, Ident, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, WindowFrame,
    WindowFrameBound as Bound, WindowFrameUnits as Units, WindowSpec, WindowType,
};

use super::diagnose::{Locate, unknown, unsupported};
use super::interval::{interval, millis};
use super::rank::whole;
use crate::error::{Diagnostic, Error, Result};
use crate::over::Frame;

/// The windows that a SELECT names behind WINDOW.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a>(&'a [NamedWindowDefinition]);

/// A window, its parts from wherever they stand.
#[derive(Clone, Copy, Default)]
pub(super) struct Written<'a> {
    pub partition_by: &'a [Ast],
    pub order_by: &'a [OrderByExpr],
    pub frame: Option<&'a WindowFrame>,
}

/// The error of a window that OVER cannot have.
pub(super) fn over_error(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Diagnostic::new("sql.over", message).hint(hint)
}

impl<'a> Windows<'a> {
    /// Those of a WINDOW clause.
    ///
    /// # Errors
    /// When two have one name, or one is none.
    pub(super) fn new(named: &'a [NamedWindowDefinition]) -> Result<Windows<'a>> {
        let windows = Windows(named);
        for (i, NamedWindowDefinition(name, written)) in named.iter().enumerate() {
            if named[..i].iter().any(|other| other.0.value == name.value) {
                let text = format!("there are two windows `{}`", name.value);
                return Err(Diagnostic::new("sql.duplicate", text)
                    .hint("give one of them another name")
                    .located_at(name.span));
            }
            windows.written(written, i)?;
        }
        Ok(windows)
    }

    /// The window of an OVER.
    pub(super) fn of(&self, over: &'a WindowType) -> Result<Written<'a>> {
        match over {
            WindowType::WindowSpec(spec) => self.spec(spec, self.0.len()),
            WindowType::NamedWindow(name) => self.named(name, self.0.len()),
        }
    }

    fn written(&self, written: &'a NamedWindowExpr, before: usize) -> Result<Written<'a>> {
        match written {
            NamedWindowExpr::NamedWindow(name) => self.named(name, before),
            NamedWindowExpr::WindowSpec(spec) => self.spec(spec, before),
        }
    }

    /// The window of a name, one of the first `before`: a definition knows those in front of it.
    fn named(&self, name: &Ident, before: usize) -> Result<Written<'a>> {
        let all = &self.0[..before];
        match all.iter().position(|window| window.0.value == name.value) {
            Some(place) => self.written(&all[place].1, place),
            None => {
                let known = all.iter().map(|window| window.0.value.as_str());
                let hint =
                    "define it behind FROM and WHERE: WINDOW w AS (PARTITION BY a ORDER BY ts)";
                Err(unknown("sql.unknown-window", "window", &name.value, known, hint)
                    .located_at(name.span))
            }
        }
    }

    fn spec(&self, spec: &'a WindowSpec, before: usize) -> Result<Written<'a>> {
        let own = Written {
            partition_by: &spec.partition_by,
            order_by: &spec.order_by,
            frame: spec.window_frame.as_ref(),
        };
        let Some(name) = &spec.window_name else { return Ok(own) };
        let named = self.named(name, before)?;
        let twice = (!own.order_by.is_empty() && !named.order_by.is_empty())
            || (own.frame.is_some() && named.frame.is_some());
        if twice || !own.partition_by.is_empty() {
            let text = format!("the window `{}` says that already", name.value);
            let hint =
                "only what a named window leaves open can be added to it: its order, its frame";
            return Err(over_error(text, hint).located_at(name.span));
        }
        let order_by = if own.order_by.is_empty() { named.order_by } else { own.order_by };
        let frame = own.frame.or(named.frame);
        Ok(Written { partition_by: named.partition_by, order_by, frame })
    }
}

/// The frame as written; without one, it is all rows up to the row and those of its time.
pub(super) fn frame(written: Option<&WindowFrame>) -> Result<Frame> {
    let Some(WindowFrame { units, start_bound, end_bound }) = written else {
        return Ok(Frame::Range(None));
    };
    if *units == Units::Groups {
        return Err(unsupported("GROUPS is not supported", "frame by ROWS or by RANGE"));
    }
    if let Some(Bound::Preceding(at) | Bound::Following(at)) = end_bound {
        let error = over_error(
            "the frame must end at CURRENT ROW",
            "write BETWEEN … PRECEDING AND CURRENT ROW: rows leave in the order of their times, none waits \
             for one that is still to come",
        );
        return Err(at.iter().fold(error, |error, at| error.located(&**at)));
    }
    match start_bound {
        Bound::Preceding(None) if *units == Units::Rows => Ok(Frame::Rows(None)),
        Bound::Preceding(None) => Ok(Frame::Range(None)),
        Bound::Preceding(Some(length)) => match units {
            Units::Rows => rows(length),
            _ => range(length),
        }
        .map_err(|e| e.located(&**length)),
        Bound::CurrentRow | Bound::Following(_) => {
            let error = over_error(
                "the frame must begin with a row before",
                "write ROWS BETWEEN 2 PRECEDING AND CURRENT ROW; 0 PRECEDING is the row alone",
            );
            let Bound::Following(Some(at)) = start_bound else { return Err(error) };
            Err(error.located(&**at))
        }
    }
}

fn rows(length: &Ast) -> Result<Frame> {
    match (whole(length), interval(length)) {
        (Some(count), _) => Ok(Frame::Rows(Some(count))),
        (None, Some(_)) => Err(over_error(
            "ROWS counts rows, an interval is a length of time",
            "write RANGE BETWEEN INTERVAL '…' … PRECEDING AND CURRENT ROW, or ROWS BETWEEN 2 PRECEDING …",
        )),
        (None, None) => Err(over_error(
            "ROWS takes a whole number of rows as written",
            "for example ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
        )),
    }
}

fn range(length: &Ast) -> Result<Frame> {
    if interval(length).is_none() {
        return Err(over_error(
            "RANGE takes a length of time",
            "write RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW; a number of rows goes \
             with ROWS",
        ));
    }
    match millis(length, "the frame of RANGE")? {
        length @ 0.. => Ok(Frame::Range(Some(length))),
        _ => Err(over_error(
            "the frame of RANGE is a negative length",
            "PRECEDING says the direction already: write the interval without a sign",
        )),
    }
}
