//! GROUPING SETS, ROLLUP and CUBE: the sets of keys that GROUP BY stands for, and what asks which set a row is of.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr as Ast, Function as AstFunction, GroupByExpr};

use super::call::{function_name, scalar_arguments};
use super::diagnose::{Locate, unsupported};
use super::expr;
use super::grouped::{Grouped, Key, bind_key};
use super::guest::Functions;
use super::planner::Planner;
use super::scope::Relation;
use crate::error::{Diagnostic, Error, Result, Span};
use crate::expr::{Expr, ExprKind};
use crate::plan::{GroupingSet, NodeId, Op};
use crate::schema::{DataType, Field, Schema};
use crate::value::Value;

/// The most sets of one GROUP BY: every row is handed on so often.
const MOST_SETS: usize = 4_096;

/// The most keys that some set leaves out: each has a bit in the set's number.
const MOST_KEYS: usize = 62;

/// The column that says of which set a row is. A name that SQL takes in backticks only.
const ID: &str = "$e";

/// The sets of a GROUP BY, once there is more than one.
#[derive(Clone)]
pub(super) struct Sets {
    /// Those keys that some set leaves out.
    optional: Vec<usize>,
    /// For each set, the keys that it leaves out.
    left_out: Vec<BTreeSet<usize>>,
    /// The position of the set's number in the aggregation's output.
    pub output: usize,
}

impl Sets {
    /// Whether each set has a key.
    pub(super) fn all_have(&self, key: usize) -> bool {
        !self.optional.contains(&key)
    }

    /// The sets for the operator that makes them, whose input has the keys at these positions.
    pub(super) fn at(&self, position: impl Fn(usize) -> usize) -> Vec<GroupingSet> {
        let set = |left_out: &BTreeSet<usize>| GroupingSet {
            left_out: left_out.iter().map(|&key| position(key)).collect(),
            id: left_out.iter().filter_map(|&key| self.bit(key)).map(|bit| 1 << bit).sum(),
        };
        self.left_out.iter().map(set).collect()
    }

    /// The number's column.
    pub(super) fn field() -> Field {
        Field { nullable: false, ..Field::new(ID.to_owned(), DataType::BigInt) }
    }

    /// The bit of a set's number that says that it leaves the key out: of the first key the highest, as in
    /// GROUPING_ID.
    fn bit(&self, key: usize) -> Option<usize> {
        let place = self.optional.iter().position(|&optional| optional == key)?;
        Some(self.optional.len() - 1 - place)
    }

    /// GROUPING of some keys: a bit each, that of the last is 1.
    fn grouping(&self, keys: &[usize]) -> Result<Expr> {
        let id = Expr::column(self.output, &Sets::field());
        if keys == self.optional {
            return Ok(id);
        }
        let mut sum: Option<Expr> = None;
        for (place, &key) in keys.iter().rev().enumerate() {
            let Some(bit) = self.bit(key) else { continue };
            let part = match bit {
                0 => id.clone(),
                _ => Expr::call("/", vec![id.clone(), whole(1 << bit)])?,
            };
            let mut part = Expr::call("%", vec![part, whole(2)])?;
            if place > 0 {
                part = Expr::call("*", vec![part, whole(1 << place)])?;
            }
            sum = Some(match sum {
                Some(sum) => Expr::call("+", vec![part, sum])?,
                None => part,
            });
        }
        Ok(sum.unwrap_or_else(|| whole(0)))
    }
}

fn whole(number: i64) -> Expr {
    Expr::literal(Value::BigInt(number), DataType::BigInt)
}

/// The keys of a GROUP BY, each once, and its sets when there are several.
pub(super) fn keys_and_sets(
    input: &Relation,
    elements: &[Ast],
    functions: &Functions,
) -> Result<(Vec<Key>, Option<Sets>)> {
    let mut keys: Vec<Key> = Vec::new();
    let mut sets: Vec<BTreeSet<usize>> = vec![BTreeSet::new()];
    for element in elements {
        let mut own = Vec::new();
        for set in alternatives(element, 0)? {
            let mut numbers = BTreeSet::new();
            for key in set {
                numbers.insert(number(bind_key(input, key, functions)?, &mut keys));
            }
            own.push(numbers);
        }
        if sets.len().saturating_mul(own.len()) > MOST_SETS {
            return Err(too_many("grouping sets", MOST_SETS).located(element));
        }
        let with = |set: &BTreeSet<usize>| own.iter().map(|o| set | o).collect::<Vec<_>>();
        sets = sets.iter().flat_map(with).collect();
    }
    let kept = |key: usize| sets.iter().all(|set| set.contains(&key));
    let optional: Vec<usize> = (0..keys.len()).filter(|&key| !kept(key)).collect();
    let mut known = BTreeSet::new();
    if let Some(twice) = sets.iter().find(|set| !known.insert(*set)) {
        return Err(stands_twice(twice, &keys, elements));
    }
    if optional.len() > MOST_KEYS {
        let error = too_many("keys in grouping sets", MOST_KEYS);
        return Err(match elements.first() {
            Some(first) => error.located(first),
            None => error,
        });
    }
    for &key in &optional {
        keys[key].field.nullable = true;
    }
    let all: BTreeSet<usize> = (0..keys.len()).collect();
    let left_out = sets.iter().map(|set| &all - set).collect();
    let several = sets.len() > 1;
    Ok((keys, several.then_some(Sets { optional, left_out, output: 0 })))
}

/// The position of a key among those so far, where it is added when it is new.
fn number(key: Key, keys: &mut Vec<Key>) -> usize {
    let same = |known: &Key| match key.column {
        Some(_) => known.column == key.column,
        None => known.column.is_none() && known.text == key.text,
    };
    keys.iter().position(same).unwrap_or_else(|| {
        keys.push(key);
        keys.len() - 1
    })
}

/// The sets that one element of GROUP BY stands for.
fn alternatives<'a>(element: &'a Ast, depth: usize) -> Result<Vec<Vec<&'a Ast>>> {
    if depth > 20 {
        return Err(Diagnostic::new("sql.too-deep", "grouping sets are nested too deeply")
            .hint("write the sets out: GROUPING SETS ((a, b), (a), ())")
            .located(element));
    }
    match element {
        Ast::Tuple(keys) => Ok(vec![keys.iter().collect()]),
        Ast::Nested(inner) => alternatives(inner, depth + 1),
        Ast::Rollup(parts) => {
            Ok(rollup(&parts.iter().map(|p| p.iter().collect()).collect::<Vec<_>>()))
        }
        Ast::Cube(parts) => {
            cube(&parts.iter().map(|p| p.iter().collect()).collect::<Vec<_>>(), element)
        }
        Ast::GroupingSets(sets) => {
            let mut all = Vec::new();
            for set in sets {
                match set.as_slice() {
                    [only] => all.extend(alternatives(only, depth + 1)?),
                    several => all.push(several.iter().collect()),
                }
            }
            Ok(all)
        }
        // Inside GROUPING SETS these are read as calls.
        Ast::Function(call) => {
            let name = function_name(call).unwrap_or_default().to_ascii_uppercase();
            if !matches!(name.as_str(), "ROLLUP" | "CUBE") {
                return Ok(vec![vec![element]]);
            }
            let part = |part: &'a Ast| match part {
                Ast::Tuple(keys) => keys.iter().collect(),
                other => vec![other],
            };
            let parts: Vec<Vec<&Ast>> =
                scalar_arguments(call, &name)?.into_iter().map(part).collect();
            if name == "CUBE" { cube(&parts, element) } else { Ok(rollup(&parts)) }
        }
        _ => Ok(vec![vec![element]]),
    }
}

/// All parts, all but the last, and so on down to none.
fn rollup<'a>(parts: &[Vec<&'a Ast>]) -> Vec<Vec<&'a Ast>> {
    (0..=parts.len()).rev().map(|count| parts[..count].concat()).collect()
}

/// Every choice among the parts, all of them first.
fn cube<'a>(parts: &[Vec<&'a Ast>], at: &Ast) -> Result<Vec<Vec<&'a Ast>>> {
    let count = parts.len();
    if count > MOST_SETS.ilog2() as usize {
        return Err(too_many("grouping sets", MOST_SETS).located(at));
    }
    let chosen = |choice: usize, part: usize| choice >> (count - 1 - part) & 1 == 1;
    let set =
        |choice| (0..count).filter(move |&p| chosen(choice, p)).flat_map(|p| parts[p].clone());
    Ok((0..1 << count).rev().map(|choice| set(choice).collect()).collect())
}

fn too_many(what: &str, most: usize) -> Error {
    Diagnostic::new("sql.group", format!("GROUP BY has more than {most} {what}"))
        .hint("every row counts once in each set: write out those that are read, GROUPING SETS ((a, b), ())")
}

/// Whether rows of a set that stands twice are there twice is where databases differ.
fn stands_twice(set: &BTreeSet<usize>, keys: &[Key], elements: &[Ast]) -> Error {
    let names: Vec<&str> = set.iter().map(|&key| keys[key].text.as_str()).collect();
    let error = Diagnostic::new(
        "sql.group",
        format!("GROUP BY has the grouping set ({}) more than once", names.join(", ")),
    )
    .hint("write the sets out, each once: GROUPING SETS ((a, b), (a), ())");
    // The last that is no plain key makes the sets that are too many.
    match elements.iter().rev().find(|e| alternatives(e, 0).is_ok_and(|sets| sets.len() > 1)) {
        Some(element) => error.located(element),
        None => error,
    }
}

impl Planner<'_> {
    /// The rows of a node once for each set, and the position of the set's number.
    pub(super) fn expanded(
        &mut self,
        input: NodeId,
        sets: Vec<GroupingSet>,
        at: Option<Span>,
    ) -> (NodeId, usize) {
        let mut fields = self.builder.nodes[input].schema.fields.clone();
        for &column in sets.iter().flat_map(|set| &set.left_out) {
            fields[column] = Field { nullable: true, rowtime: false, ..fields[column].clone() };
        }
        fields.push(Sets::field());
        let id = fields.len() - 1;
        let node =
            self.builder.add("expand", Op::Expand { sets }, vec![input], Schema::new(fields), at);
        (node, id)
    }
}

/// Whether a call is GROUPING or GROUPING_ID, which are one function with two names.
pub(super) fn grouping_of(ast: &Ast) -> Option<(&AstFunction, String)> {
    let Ast::Function(call) = ast else { return None };
    let name = function_name(call).ok()?.to_ascii_uppercase();
    matches!(name.as_str(), "GROUPING" | "GROUPING_ID").then_some((call, name))
}

impl Grouped<'_> {
    /// GROUPING: for each argument, a key, whether the row's set leaves it out.
    pub(super) fn grouping(&mut self, call: &AstFunction, name: &str) -> Result<Expr> {
        let arguments = scalar_arguments(call, name)?;
        let none = || {
            Diagnostic::new("sql.argument", format!("{name} takes keys of GROUP BY"))
                .hint(format!("{name}(a) is 1 where the row's grouping set leaves a out, else 0"))
        };
        if arguments.is_empty() || arguments.len() > MOST_KEYS {
            return Err(none());
        }
        let mut keys = Vec::new();
        for argument in arguments {
            let bound = expr::bind(argument, self)?;
            let key = match bound.kind {
                ExprKind::Column(at) => self.keys.iter().position(|key| key.output == at),
                _ => None,
            };
            keys.push(key.ok_or_else(|| none().located(argument))?);
        }
        self.sets.as_ref().map_or_else(|| Ok(whole(0)), |sets| sets.grouping(&keys))
    }
}

/// The elements of GROUP BY.
pub(super) fn elements_of(group_by: &GroupByExpr) -> Result<&[Ast]> {
    match group_by {
        GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => Ok(keys),
        _ => Err(unsupported(
            "GROUP BY ALL and WITH modifiers are not supported",
            "list the keys: GROUP BY a, b; for totals GROUP BY ROLLUP (a, b)",
        )
        .located(group_by)),
    }
}
