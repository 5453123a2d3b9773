//! What a query sees: the columns of a relation, and what their names stand for.

use sqlparser::ast::{Expr as Ast, Ident};

use super::diagnose::{Locate, unknown};
use crate::error::{Diagnostic, Result};
use crate::plan::{NodeId, WindowSpec};
use crate::schema::{DataType, Field, Schema, SchemaRef};

/// What a column says about a window, by the window's number in the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Plain,
    /// `window_start`
    Start(usize),
    /// `window_end`
    End(usize),
    /// `window_time`
    Time(usize),
    /// Nothing: it is the value of a query that stands in an expression, whose text is its name. No name
    /// and no `*` means it.
    Value,
}

impl Role {
    /// The window it is about.
    pub(super) fn window(self) -> Option<usize> {
        match self {
            Role::Plain | Role::Value => None,
            Role::Start(window) | Role::End(window) | Role::Time(window) => Some(window),
        }
    }
}

/// A column a query may name.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The table's name or alias, where there is one.
    pub qualifier: Option<String>,
    pub field: Field,
    pub role: Role,
}

impl Column {
    /// A column without a table that says nothing of a window.
    pub(super) fn plain(field: Field) -> Column {
        Column { qualifier: None, field, role: Role::Plain }
    }
}

/// A window function whose windows nobody has assigned yet: an aggregation assigns them itself.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// The window's number in the planner.
    pub window: usize,
    pub spec: WindowSpec,
    /// The event-time column.
    pub time: usize,
    /// The columns of `PARTITION BY`, for sessions.
    pub keys: Vec<usize>,
}

/// The rows a query reads. While `pending` is set, the last three columns do not exist yet.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub node: NodeId,
    pub columns: Vec<Column>,
    pub updating: bool,
    pub pending: Option<Pending>,
}

impl Relation {
    /// A relation whose columns are those of a node.
    pub(super) fn of(node: NodeId, schema: &Schema, updating: bool) -> Relation {
        let column =
            |field: &Field| Column { qualifier: None, field: field.clone(), role: Role::Plain };
        let columns = schema.fields.iter().map(column).collect();
        Relation { node, columns, updating, pending: None }
    }

    /// The same under another name.
    pub(super) fn named(mut self, name: &str) -> Relation {
        for column in &mut self.columns {
            column.qualifier = Some(name.to_owned());
        }
        self
    }

    /// The columns as a schema.
    pub(super) fn schema(&self) -> SchemaRef {
        Schema::new(self.columns.iter().map(|c| c.field.clone()).collect())
    }

    /// The event-time attribute.
    pub(super) fn rowtime(&self) -> Option<usize> {
        self.columns.iter().position(|c| c.field.rowtime)
    }

    /// How many of the columns exist in the node.
    pub(super) fn existing(&self) -> usize {
        self.columns.len() - if self.pending.is_some() { 3 } else { 0 }
    }

    /// Appends `window_start`, `window_end`, `window_time`.
    pub(super) fn push_window(&mut self, window: usize, time_type: DataType) {
        let qualifier = self.columns.first().and_then(|c| c.qualifier.clone());
        let fields = window_fields(time_type);
        let roles = [Role::Start(window), Role::End(window), Role::Time(window)];
        for (field, role) in fields.into_iter().zip(roles) {
            self.columns.push(Column { qualifier: qualifier.clone(), field, role });
        }
    }

    /// The position of the column a name means.
    pub(super) fn resolve(&self, parts: &[Ident]) -> Result<usize> {
        let (qualifier, name) = match parts {
            [name] => (None, name),
            [qualifier, name] => (Some(qualifier), name),
            [] => return Err(Diagnostic::new("sql.unknown-column", "a name is empty")),
            [first, ..] => {
                return Err(super::diagnose::unsupported(
                    "fields of rows and names of more than two parts are not supported",
                    "write column or table.column",
                )
                .located_at(first.span));
            }
        };
        if let Some(qualifier) = qualifier {
            let tables = || self.columns.iter().filter_map(|c| c.qualifier.as_deref());
            if !tables().any(|t| t == qualifier.value) {
                return Err(unknown("sql.unknown-table", "table", &qualifier.value, tables(), "")
                    .located_at(qualifier.span));
            }
        }
        let matches = |c: &Column| {
            c.role != Role::Value
                && c.field.name == name.value
                && qualifier.is_none_or(|q| c.qualifier.as_deref() == Some(q.value.as_str()))
        };
        let mut found = self.columns.iter().enumerate().filter(|(_, c)| matches(c));
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(Diagnostic::new(
                "sql.ambiguous-column",
                format!("the column `{}` is there more than once", name.value),
            )
            .hint("give one of them another name with AS")
            .located_at(name.span)),
            (None, _) => {
                let known = self.named_columns();
                Err(unknown("sql.unknown-column", "column", &name.value, known, self.listing())
                    .located_at(name.span))
            }
        }
    }

    fn named_columns(&self) -> impl Iterator<Item = &str> {
        let named = self.columns.iter().filter(|c| c.role != Role::Value);
        named.map(|c| c.field.name.as_str())
    }

    /// The column that is the value of a query in an expression.
    pub(super) fn value(&self, ast: &Ast) -> Option<usize> {
        let Ast::Subquery(_) = ast else { return None };
        let text = ast.to_string();
        self.columns.iter().position(|c| c.role == Role::Value && c.field.name == text)
    }

    /// "the columns are a, b, c", cut when there are many.
    fn listing(&self) -> String {
        let names: Vec<&str> = self.named_columns().collect();
        match names.len() {
            0 => "there are no columns here".into(),
            n if n > 24 => format!("the columns are {}, …", names[..24].join(", ")),
            _ => format!("the columns are {}", names.join(", ")),
        }
    }
}

/// `window_start`, `window_end`, `window_time`; only the last is a time attribute.
pub(super) fn window_fields(time_type: DataType) -> [Field; 3] {
    let field = |name: &str, data_type, rowtime| Field {
        name: name.to_owned(),
        data_type,
        nullable: false,
        rowtime,
    };
    [
        field("window_start", DataType::Timestamp, false),
        field("window_end", DataType::Timestamp, false),
        field("window_time", time_type, true),
    ]
}
