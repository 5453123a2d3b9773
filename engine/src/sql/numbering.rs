//! ROW_NUMBER: what may stand in its call, and numbers by time, which never change.

use sqlparser::ast::{Function as AstFunction, FunctionArguments};

use super::diagnose::{Locate, unsupported};
use super::scope::Relation;
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error, Result};
use crate::over::{Frame, OverSpec};
use crate::plan::{AggregateCall, RankSpec};
use crate::rank::{Emit, SortColumn};

/// Refuses arguments and what goes with them.
pub(super) fn takes_nothing(call: &AstFunction) -> Result<()> {
    let arguments = match &call.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
        FunctionArguments::Subquery(_) => false,
    };
    if !arguments || call.filter.is_some() || call.null_treatment.is_some() {
        return Err(Diagnostic::new("sql.argument", "ROW_NUMBER takes no arguments")
            .hint("what it numbers by stands in OVER (… ORDER BY …)")
            .located(call));
    }
    Ok(())
}

/// The error of a frame that a call does not have.
pub(super) fn no_frame(name: &str) -> Error {
    unsupported(format!("{name} takes no frame"), "leave ROWS or RANGE out")
}

/// Numbers by ascending time never change: those of a rank without an end, as an OVER.
pub(super) fn by_time(spec: &RankSpec, rows: &Relation) -> Option<OverSpec> {
    let [order] = spec.order.as_slice() else { return None };
    let timed = rows.columns[order.column].field.rowtime && !order.descending && !rows.updating;
    let count = AggregateCall::of(Aggregate::Count, None);
    (timed && spec.emit == Emit::Changes).then(|| OverSpec {
        keys: spec.keys.clone(),
        time: order.column,
        frame: Frame::Rows(None),
        aggregates: vec![count],
        lags: Vec::new(),
        columns: spec.columns.clone(),
    })
}

/// The rank without an end that an OVER of [`by_time`] stands for.
pub(super) fn of_running(running: OverSpec) -> RankSpec {
    let time = SortColumn { column: running.time, descending: false, nulls_first: true };
    RankSpec {
        keys: running.keys,
        order: vec![time],
        first: 1,
        last: RankSpec::OPEN,
        columns: running.columns,
        numbered: true,
        emit: Emit::Changes,
    }
}
