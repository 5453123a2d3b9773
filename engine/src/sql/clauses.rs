//! The clauses of a query that a stream cannot answer, or cannot yet, and why.

use sqlparser::ast::{Distinct, Query, Select};

use super::diagnose::{Locate, unsupported};
use crate::error::Result;

/// Refuses clauses around a SELECT; `sorts`: its rows are handed on in their order, whether they are limited or not.
pub(super) fn refuse_query_clauses(query: &Query, sorts: bool) -> Result<()> {
    let limited = sorts || query.limit_clause.is_some() || query.fetch.is_some();
    if let (Some(order), false) = (&query.order_by, limited) {
        return Err(unsupported(
            "ORDER BY without LIMIT is not supported: a stream has no end to sort at",
            "keep the first rows: ORDER BY … LIMIT 10; or wait for the end of the input: SET \
             'execution.runtime-mode' = 'batch'",
        )
        .located(order));
    }
    let rare = !query.locks.is_empty()
        || query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty();
    if rare {
        return Err(unsupported("this clause is not supported", "leave it out").located(query));
    }
    Ok(())
}

/// Refuses clauses of a SELECT.
pub(super) fn refuse_select_clauses(select: &Select) -> Result<()> {
    let at = select.select_token.0.span;
    match &select.distinct {
        Some(Distinct::All | Distinct::Distinct) | None => {}
        Some(Distinct::On(_)) => {
            return Err(unsupported(
                "DISTINCT ON is not supported",
                "number the rows: ROW_NUMBER() OVER (PARTITION BY a ORDER BY b), and keep number 1",
            )
            .located_at(at));
        }
    }
    let rare = select.top.is_some()
        || select.into.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.exclude.is_some()
        || select.select_modifiers.is_some()
        || select.value_table_mode.is_some()
        || !matches!(select.flavor, sqlparser::ast::SelectFlavor::Standard);
    if rare || select.projection.is_empty() {
        return Err(unsupported(
            "this form of SELECT is not supported",
            "there are SELECT … FROM … WHERE … GROUP BY … HAVING …",
        )
        .located_at(at));
    }
    Ok(())
}
