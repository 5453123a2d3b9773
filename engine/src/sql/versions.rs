//! What has versions: a table with a primary key and a watermark, or a view of the last row of each key by event
//! time (`ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC)`, number 1).

use sqlparser::ast::TableFactor;

use super::diagnose::Locate;
use super::planner::Planner;
use super::scope::Relation;
use crate::error::{Diagnostic, Error, Result};
use crate::expr::ExprKind;
use crate::plan::{NodeId, Op};
use crate::rank::Emit;

/// The versions of a temporal join's right.
pub(super) struct Versions {
    pub rows: Relation,
    /// The columns that say of what a row is a version.
    pub key: Vec<usize>,
    /// The column that says from when on it is valid.
    pub time: usize,
}

/// Why something has no versions.
enum Without {
    Key,
    Watermark,
    Filter,
    Versions,
}

/// Key and time, or why there are none.
type Found = std::result::Result<(Vec<usize>, usize), Without>;

impl Planner<'_> {
    /// The versions that a table or view of FROM has.
    pub(super) fn versions(&mut self, at: &TableFactor) -> Result<Versions> {
        let mut plain = at.clone();
        if let TableFactor::Table { version, .. } = &mut plain {
            *version = None;
        }
        let rows = self.factor(&plain)?;
        let name = match at {
            TableFactor::Table { name, .. } => name.to_string(),
            _ => String::new(),
        };
        match self.key_and_time(rows.node, rows.columns.len()) {
            Ok((key, time)) if rows.pending.is_none() => Ok(Versions { rows, key, time }),
            Ok(_) => Err(without(&name, &Without::Versions).located(at)),
            Err(why) => Err(without(&name, &why).located(at)),
        }
    }

    /// Key and time among the columns of a node that hands versions on.
    fn key_and_time(&self, node: NodeId, width: usize) -> Found {
        let nodes = &self.builder.nodes;
        // For each column of the view, which one of this node it is.
        let (mut node, mut columns) = (node, (0..width).map(Some).collect::<Vec<_>>());
        let mut filtered = false;
        loop {
            let at = &nodes[node];
            let place = |column: usize| columns.iter().position(|&c| c == Some(column));
            match &at.op {
                Op::Filter { .. } => filtered = true,
                Op::Project { exprs } => {
                    for column in &mut columns {
                        *column = column.and_then(|c| match exprs[c].kind {
                            ExprKind::Column(index) => Some(index),
                            _ => None,
                        });
                    }
                }
                Op::Source(source) => {
                    let key: Option<Vec<usize>> =
                        self.primary_key(&source.table).map(place).collect();
                    let key = key.filter(|key| !key.is_empty()).ok_or(Without::Key)?;
                    let time = source.watermark.as_ref().and_then(|w| place(w.column));
                    let time = time.ok_or(Without::Watermark)?;
                    return if filtered { Err(Without::Filter) } else { Ok((key, time)) };
                }
                Op::Rank(spec) if spec.emit == Emit::Latest => {
                    let place = |input: usize| {
                        place(spec.columns.iter().position(|&column| column == input)?)
                    };
                    let key: Option<Vec<usize>> = spec.keys.iter().map(|&k| place(k)).collect();
                    let key = key.filter(|key| !key.is_empty()).ok_or(Without::Key)?;
                    let time = spec.order.first().and_then(|order| place(order.column));
                    let time = time.ok_or(Without::Watermark)?;
                    return if filtered { Err(Without::Filter) } else { Ok((key, time)) };
                }
                _ => return Err(Without::Versions),
            }
            node = *at.inputs.first().ok_or(Without::Versions)?;
        }
    }

    /// Those of a table's columns that are its primary key.
    pub(super) fn primary_key(&self, table: &str) -> impl Iterator<Item = usize> {
        let table = self.tables.get(table).and_then(Option::as_ref);
        table.into_iter().flat_map(|table| {
            let of_key = |e: &crate::expr::Expr| match e.kind {
                ExprKind::Column(column) => table.key.contains(&column),
                _ => false,
            };
            (0..table.columns.len()).filter(move |&i| of_key(&table.columns[i]))
        })
    }
}

fn without(name: &str, why: &Without) -> Error {
    const DECLARE: &str = "declare what is versioned and from when on: PRIMARY KEY (k) NOT ENFORCED, \
        WATERMARK FOR ts AS ts - INTERVAL '5' SECOND; or join a view of the last rows: SELECT k, x, ts FROM \
        (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM t) WHERE n = 1";
    let (what, hint) = match why {
        Without::Key => (
            "it is no table with a PRIMARY KEY, and no view that has the columns of PARTITION BY",
            DECLARE,
        ),
        Without::Watermark => (
            "it is no table with a WATERMARK, and no view that has the column of ORDER BY",
            DECLARE,
        ),
        Without::Versions => {
            ("it is neither a table nor a view of the last row of each key", DECLARE)
        }
        Without::Filter => (
            "a version that its WHERE leaves out would let an older one be valid",
            "put the condition into the join: JOIN v FOR SYSTEM_TIME AS OF a.ts ON a.k = v.k AND v.x > 3",
        ),
    };
    Diagnostic::new("sql.versions", format!("`{name}` has no versions: {what}")).hint(hint)
}
