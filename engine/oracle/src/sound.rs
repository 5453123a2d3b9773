//! Which trees can be planned, and give a result that does not hang on an order that nothing says.

use crate::parts::{Compare, Emission, Frame, Mode, Read, Windows, Written};
use crate::pipeline::{Node, columns};
use crate::types::Type;

impl Node {
    /// Whether it can be planned.
    pub fn sound(&self) -> bool {
        // The settings of windows that fire as they are told stand once in a script.
        let told = self.steps().iter().filter(|step| matches!(step, Node::Panes(..))).count();
        told <= 1 && !matches!(self, Node::Versions(_)) && self.fits()
    }

    /// Whether the result hangs on which of two rows comes first, even where neither is late: of rows that are
    /// equal in what they are ordered by that is what decides, and early panes have what has come.
    pub fn hangs_on_arrival(&self) -> bool {
        self.steps().into_iter().any(|step| match step {
            Node::Over(_, _, frame, _) => matches!(frame, Frame::Rows(_)),
            Node::First(..) | Node::Last(..) | Node::Temporal(..) => true,
            Node::Top(input, rank) | Node::WindowTop(input, rank) => {
                input.sorts(&rank.order).len() < input.width()
            }
            Node::Panes(.., emission) => emission.read == Read::Each,
            _ => false,
        })
    }

    fn fits(&self) -> bool {
        let inputs = self.inputs();
        let placed = inputs.iter().enumerate().all(|(i, input)| {
            let versions = matches!(input, Node::Versions(_));
            input.fits() && (!versions || i == 1 && matches!(self, Node::Temporal(..)))
        });
        placed && self.width() > 0 && self.stands()
    }

    /// Whether the step itself can stand over its inputs.
    fn stands(&self) -> bool {
        match self {
            Node::Window(input, windows, ..) => aggregable(input, *windows),
            Node::Panes(input, windows, _, calls, emission) => {
                let parts = calls.iter().all(|call| call.function.of_parts().is_some());
                let adds_up = emission.mode == Mode::Discarding && emission.read == Read::Whole;
                aggregable(input, *windows)
                    && (!adds_up || parts)
                    && told(emission, *windows, input.in_order())
            }
            Node::Late(windows) => match &**windows {
                Node::Window(..) => true,
                // What panes amount to is a query of its own over them.
                Node::Panes(.., e) => e.mode == Mode::Retracting || e.read == Read::Each,
                _ => false,
            },
            Node::Having(input, _) => {
                matches!(**input, Node::Window(..) | Node::Group(..) | Node::Sets(..))
            }
            Node::Rows(input, windows) => aggregable(input, *windows),
            Node::Carried(input, ..) => input.timed() && input.windows().is_some(),
            Node::WindowTop(input, rank) => {
                input.timed() && input.windows().is_some() && rank.written != Written::Limit
            }
            Node::Top(_, rank) => {
                rank.written != Written::Limit || (rank.keys.is_empty() && !rank.numbered)
            }
            Node::Interval(both, kind, _, on, _) => {
                both.iter().all(Node::timed) && !on.keys.is_empty() && !kind.one_sided()
            }
            Node::Near(both, ..) => both.iter().all(Node::timed),
            Node::WindowJoin(both, ..) => {
                both.iter().all(Node::timed)
                    && both[0].windows().is_some()
                    && both[0].windows() == both[1].windows()
            }
            Node::Temporal(both, _, keys, residual) => {
                // An equality more would be a key more than versions have.
                let equal = residual.is_some_and(|r| r.compare == Compare::Equal);
                let Some(of) = both[1].version_keys() else { return false };
                // A key of versions stands there as it is; the left may be read as a number.
                let types = [0, 1].map(|side| both[side].types());
                let left = |key: &usize| types[0][key % types[0].len()];
                let alike = keys.iter().cycle().zip(of).all(|(l, r)| {
                    !keys.is_empty() && [left(l), Type::BigInt].contains(&types[1][r])
                });
                both[0].timed() && alike && !keys.is_empty() && !equal
            }
            Node::First(input, keys) | Node::Last(input, keys) => {
                input.timed() && input.in_order() && !keys.is_empty()
            }
            Node::Over(input, _, frame, calls) => {
                let rows = matches!(frame, Frame::Rows(_));
                input.timed() && !calls.is_empty() && (!rows || input.in_order())
            }
            Node::Join(_, _, on) => on.residual.is_some() || !on.keys.is_empty(),
            // What a group without keys says of no rows at all is another question.
            Node::Group(input, keys, _) => !keys.is_empty() || !input.changes(),
            Node::Sets(input, windows, keys, sets, _) => {
                let keys = columns(keys, input.width());
                let sets = sets.of(keys.len());
                let used = (0..keys.len()).all(|k| sets.iter().any(|set| set[k]));
                let whole = sets.iter().all(|set| set.contains(&true)) || !input.changes();
                let windowed = windows.is_none_or(|w| aggregable(input, w));
                !keys.is_empty() && sets.len() > 1 && used && whole && windowed
            }
            _ => true,
        }
    }
}

/// Whether rows can be aggregated by windows.
fn aggregable(input: &Node, windows: Windows) -> bool {
    // Rows of one place that are behind the watermark: which is first decides whether a session takes them.
    let loose = |step: &Node| match step {
        Node::Over(..) => true,
        Node::First(..) | Node::Temporal(..) => windows == Windows::Session(1),
        _ => false,
    };
    let session = matches!(windows, Windows::Session(_));
    input.timed() && !(session && input.steps().into_iter().any(loose))
}

/// Whether it is known here what is left of panes that are said so.
fn told(emission: &Emission, windows: Windows, in_order: bool) -> bool {
    let session = matches!(windows, Windows::Session(_));
    // Of rows that come at once it is not known which of them a pane has.
    let followed = emission.waits().is_some() && !session && in_order;
    // A trigger that has fired for the last time leaves out the rows that follow; those of a session may grow it.
    let ends = emission.lateness > 0 && emission.waits().is_some_and(|waits| waits[1].is_none());
    let read = match (emission.mode, emission.read) {
        (Mode::Retracting | Mode::Discarding, Read::Whole) => true,
        (Mode::Accumulating, Read::Whole) => !session,
        (Mode::Retracting, Read::Each) => false,
        (_, Read::Each) => followed,
    };
    read && (followed || !ends)
}
