//! What SQL has and this dialect refuses, each with what to write instead.

use sqlparser::ast::Expr as Ast;

use super::diagnose::{unknown, unsupported};
use super::guest::Functions;
use super::lag::{needs_over, no_lead};
use super::operator::lone_interval;
use super::rank::{misplaced, no_rank};
use crate::aggregate::Function as Aggregate;
use crate::error::{Diagnostic, Error};
use crate::expr::functions;

/// A query where a value is expected.
pub(super) fn subquery() -> Error {
    unsupported(
        "a query as a value stands in SELECT, WHERE and HAVING, outside of aggregates and keys",
        "join it: FROM a CROSS JOIN (SELECT MAX(x) AS hi FROM t) AS b",
    )
}

/// A call of a function there is not.
pub(super) fn unknown_function(name: &str, upper: &str, own: Option<&Functions>) -> Error {
    match upper {
        "NOW"
        | "CURRENT_TIMESTAMP"
        | "CURRENT_DATE"
        | "CURRENT_TIME"
        | "LOCALTIMESTAMP"
        | "LOCALTIME"
        | "RAND"
        | "RAND_INTEGER"
        | "UUID"
        | "UNIX_TIMESTAMP"
        | "CURRENT_ROW_TIMESTAMP" => unsupported(
            format!("{upper} is not supported: a run must give the same rows every time"),
            "use the event time of the record",
        ),
        "PROCTIME" => unsupported(
            "PROCTIME() does not stand here: it is when a record arrives, a column of a table",
            "declare it: CREATE TABLE t (…, arrived AS PROCTIME()), and read that column",
        ),
        "COLLECT" | "ARRAY_AGG" | "JSON_ARRAYAGG" | "JSON_OBJECTAGG" => unsupported(
            format!("{upper} is not supported: there are no collections"),
            "LISTAGG(x) makes one text of all values",
        ),
        "PERCENTILE" => unsupported(
            "the aggregate PERCENTILE is not supported",
            "MIN, MAX, AVG and STDDEV_POP say how values lie; ORDER BY … LIMIT keeps the greatest",
        ),
        "APPROX_COUNT_DISTINCT" => {
            unsupported("APPROX_COUNT_DISTINCT is not supported", "COUNT(DISTINCT x) is exact")
        }
        "GROUPING" | "GROUPING_ID" => Diagnostic::new(
            "sql.group",
            format!("{upper} asks for the grouping set of a row, and there is no GROUP BY here"),
        )
        .hint("it stands in SELECT and HAVING: SELECT a, GROUPING(a) … GROUP BY ROLLUP (a)"),
        "GROUP_ID" => unsupported(
            "GROUP_ID is not supported",
            "use GROUPING_ID(a, b): each grouping set stands once, and that tells it",
        ),
        "ROLLUP" | "CUBE" => unsupported(
            format!("{upper} does not stand here"),
            "it stands in GROUP BY, between its commas or in GROUPING SETS",
        ),
        "LEAD" => no_lead(),
        "LAG" => needs_over(),
        "RANK" | "DENSE_RANK" => no_rank(upper),
        "ROW_NUMBER" => misplaced(upper),
        "TUMBLE" | "SESSION" | "HOP" | "CUMULATE" | "TUMBLE_START" | "TUMBLE_END"
        | "TUMBLE_ROWTIME" | "SESSION_START" | "SESSION_END" | "DESCRIPTOR" => unsupported(
            format!("{upper} does not stand here"),
            "windows stand in FROM: TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))",
        ),
        _ => {
            let known = functions().iter().map(|f| f.name);
            let known = known.chain(Aggregate::ALL.iter().map(|f| f.name()));
            let known = known.chain(own.into_iter().flat_map(Functions::names));
            unknown("sql.unknown-function", "function", name, known, "")
        }
    }
}

/// An expression there is not.
pub(super) fn refuse(ast: &Ast) -> Error {
    match ast {
        Ast::Exists { .. } | Ast::InSubquery { .. } => unsupported(
            "IN and EXISTS with a query stand in WHERE only, between ANDs",
            "for OR, unite the rows of both conditions: SELECT … UNION SELECT …",
        ),
        Ast::Subquery(_) => subquery(),
        Ast::SimilarTo { .. } | Ast::RLike { .. } | Ast::ILike { .. } => {
            unsupported("this pattern match is not supported", "use LIKE")
        }
        Ast::Interval(_) => lone_interval(),
        Ast::Cast { .. } => unsupported("`::` is not supported", "use CAST(x AS type)"),
        Ast::AtTimeZone { .. } => {
            unsupported("AT TIME ZONE is not supported", "times are UTC; add an INTERVAL")
        }
        Ast::TypedString(typed) => unsupported(
            format!("{} with a string is not supported", typed.data_type),
            "use CAST('…' AS type), DATE '…' or TIMESTAMP '…'",
        ),
        Ast::GroupingSets(_) | Ast::Cube(_) | Ast::Rollup(_) => unsupported(
            "GROUPING SETS, CUBE and ROLLUP do not stand here",
            "they stand in GROUP BY, between its commas",
        ),
        Ast::Tuple(_)
        | Ast::Struct { .. }
        | Ast::Array(_)
        | Ast::Map(_)
        | Ast::Dictionary(_)
        | Ast::CompoundFieldAccess { .. }
        | Ast::JsonAccess { .. } => {
            unsupported("rows, arrays and maps are not supported", "use one column for each part")
        }
        Ast::Wildcard(_) | Ast::QualifiedWildcard(..) => {
            Diagnostic::new("sql.argument", "`*` does not stand here")
        }
        _ => unsupported("this expression is not supported", "see the list of functions"),
    }
}
