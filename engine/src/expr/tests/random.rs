//! Random trees over random rows: columns at a time must give what a row-by-row evaluator gives.

use crate::batch::Batch;
use crate::column;
use crate::expr::{Expr, evaluate, select};
use crate::schema::{DataType, Field, Schema};
use crate::value::Value;

const ROWS: usize = 37;
const NUMBERS: usize = 3;

/// A small generator of its own, so that the trees never change.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// A BIGINT expression.
#[derive(Debug)]
enum Number {
    Column(usize),
    Literal(Option<i64>),
    Binary(&'static str, Box<Number>, Box<Number>),
    Negate(Box<Number>),
    Case(Vec<(Truth, Number)>, Box<Number>),
    Coalesce(Vec<Number>),
}

/// A BOOLEAN expression.
#[derive(Debug)]
enum Truth {
    Column,
    Literal(Option<bool>),
    Compare(&'static str, Box<Number>, Box<Number>),
    And(Box<Truth>, Box<Truth>),
    Or(Box<Truth>, Box<Truth>),
    Not(Box<Truth>),
    Test(&'static str, Box<Truth>),
    IsNull(Box<Number>),
    In(Box<Number>, Vec<Number>),
}

fn number(r: &mut Random, depth: u32) -> Number {
    let small = |r: &mut Random| Box::new(number(r, depth - 1));
    match if depth == 0 { r.below(3) } else { r.below(9) } {
        0 | 1 => Number::Column(r.below(NUMBERS as u64) as usize),
        2 => Number::Literal((r.below(6) > 0).then(|| r.below(5) as i64 - 2)),
        3..=5 => {
            let op = ["+", "-", "*", "/", "%"][r.below(5) as usize];
            Number::Binary(op, small(r), small(r))
        }
        6 => Number::Negate(small(r)),
        7 => {
            let n = 1 + r.below(2);
            let branches = (0..n).map(|_| (truth(r, depth - 1), number(r, depth - 1))).collect();
            Number::Case(branches, small(r))
        }
        _ => Number::Coalesce((0..1 + r.below(3)).map(|_| number(r, depth - 1)).collect()),
    }
}

fn truth(r: &mut Random, depth: u32) -> Truth {
    let part = |r: &mut Random| Box::new(truth(r, depth - 1));
    let small = |r: &mut Random| Box::new(number(r, depth - 1));
    match if depth == 0 { r.below(2) } else { r.below(10) } {
        0 => Truth::Column,
        1 => Truth::Literal([None, Some(true), Some(false)][r.below(3) as usize]),
        2..=3 => {
            let names = ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"];
            Truth::Compare(names[r.below(7) as usize], small(r), small(r))
        }
        4 => Truth::And(part(r), part(r)),
        5 => Truth::Or(part(r), part(r)),
        6 => Truth::Not(part(r)),
        7 => {
            let tests = ["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"];
            Truth::Test(tests[r.below(4) as usize], part(r))
        }
        8 => Truth::IsNull(small(r)),
        _ => Truth::In(small(r), (0..1 + r.below(3)).map(|_| number(r, depth - 1)).collect()),
    }
}

/// One row: the numbers and the truth. An evaluation that divides by zero is `Err`.
type Row = ([Option<i64>; NUMBERS], Option<bool>);

fn row_number(n: &Number, row: &Row) -> Result<Option<i64>, ()> {
    Ok(match n {
        Number::Column(i) => row.0[*i],
        Number::Literal(v) => *v,
        Number::Binary(op, a, b) => {
            let (a, b) = (row_number(a, row)?, row_number(b, row)?);
            let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
            // In twice the width nothing overflows; the low half is the wrapped result.
            let (a, b) = (i128::from(a), i128::from(b));
            Some(match *op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ if b == 0 => return Err(()),
                "/" => a / b,
                _ => a % b,
            } as i64)
        }
        Number::Negate(a) => row_number(a, row)?.map(|v| (-i128::from(v)) as i64),
        Number::Case(branches, otherwise) => {
            for (condition, result) in branches {
                if row_truth(condition, row)? == Some(true) {
                    return row_number(result, row);
                }
            }
            row_number(otherwise, row)?
        }
        Number::Coalesce(items) => {
            for item in items {
                if let Some(v) = row_number(item, row)? {
                    return Ok(Some(v));
                }
            }
            None
        }
    })
}

fn row_truth(t: &Truth, row: &Row) -> Result<Option<bool>, ()> {
    Ok(match t {
        Truth::Column => row.1,
        Truth::Literal(v) => *v,
        Truth::Compare(op, a, b) => match (*op, row_number(a, row)?, row_number(b, row)?) {
            ("IS DISTINCT FROM", a, b) => Some(a != b),
            ("=", Some(a), Some(b)) => Some(a == b),
            ("<>", Some(a), Some(b)) => Some(a != b),
            ("<", Some(a), Some(b)) => Some(a < b),
            ("<=", Some(a), Some(b)) => Some(a <= b),
            (">", Some(a), Some(b)) => Some(a > b),
            (_, Some(a), Some(b)) => Some(a >= b),
            _ => None,
        },
        Truth::And(a, b) => match row_truth(a, row)? {
            Some(false) => Some(false),
            a => match row_truth(b, row)? {
                Some(false) => Some(false),
                b => a.and(b),
            },
        },
        Truth::Or(a, b) => match row_truth(a, row)? {
            Some(true) => Some(true),
            a => match row_truth(b, row)? {
                Some(true) => Some(true),
                b => a.and(b),
            },
        },
        Truth::Not(a) => row_truth(a, row)?.map(|v| !v),
        Truth::Test(test, a) => {
            let a = row_truth(a, row)?;
            Some(match *test {
                "IS TRUE" => a == Some(true),
                "IS NOT TRUE" => a != Some(true),
                "IS FALSE" => a == Some(false),
                _ => a != Some(false),
            })
        }
        Truth::IsNull(a) => Some(row_number(a, row)?.is_none()),
        Truth::In(x, items) => {
            let x = row_number(x, row)?;
            let items = items.iter().map(|i| row_number(i, row)).collect::<Result<Vec<_>, _>>()?;
            match x {
                None => None,
                Some(_) if items.contains(&x) => Some(true),
                Some(_) if items.contains(&None) => None,
                Some(_) => Some(false),
            }
        }
    })
}

fn build_number(n: &Number, schema: &Schema) -> Expr {
    match n {
        Number::Column(i) => Expr::column(*i, &schema.fields[*i]),
        Number::Literal(v) => Expr::literal(v.map_or(Value::Null, Value::BigInt), DataType::BigInt),
        Number::Binary(op, a, b) => {
            Expr::call(op, vec![build_number(a, schema), build_number(b, schema)]).unwrap()
        }
        Number::Negate(a) => Expr::call("NEG", vec![build_number(a, schema)]).unwrap(),
        Number::Case(branches, otherwise) => Expr::case(
            branches
                .iter()
                .map(|(c, r)| (build_truth(c, schema), build_number(r, schema)))
                .collect(),
            Some(build_number(otherwise, schema)),
        )
        .unwrap(),
        Number::Coalesce(items) => {
            Expr::call("COALESCE", items.iter().map(|i| build_number(i, schema)).collect()).unwrap()
        }
    }
}

fn build_truth(t: &Truth, schema: &Schema) -> Expr {
    match t {
        Truth::Column => Expr::column(NUMBERS, &schema.fields[NUMBERS]),
        Truth::Literal(v) => {
            Expr::literal(v.map_or(Value::Null, Value::Boolean), DataType::Boolean)
        }
        Truth::Compare(op, a, b) => {
            Expr::call(op, vec![build_number(a, schema), build_number(b, schema)]).unwrap()
        }
        Truth::And(a, b) => build_truth(a, schema).and(build_truth(b, schema)).unwrap(),
        Truth::Or(a, b) => build_truth(a, schema).or(build_truth(b, schema)).unwrap(),
        Truth::Not(a) => Expr::call("NOT", vec![build_truth(a, schema)]).unwrap(),
        Truth::Test(test, a) => Expr::call(test, vec![build_truth(a, schema)]).unwrap(),
        Truth::IsNull(a) => Expr::call("IS NULL", vec![build_number(a, schema)]).unwrap(),
        Truth::In(x, items) => {
            let items = items.iter().map(|i| build_number(i, schema));
            Expr::call("IN", [build_number(x, schema)].into_iter().chain(items).collect()).unwrap()
        }
    }
}

fn rows(r: &mut Random) -> Vec<Row> {
    let value = |r: &mut Random| match r.below(12) {
        0 => None,
        1 => Some(i64::MIN),
        2 => Some(i64::MAX),
        _ => Some(r.below(7) as i64 - 2),
    };
    (0..ROWS)
        .map(|_| {
            let numbers = std::array::from_fn(|_| value(r));
            (numbers, [None, Some(true), Some(false)][r.below(3) as usize])
        })
        .collect()
}

fn batch(rows: &[Row]) -> Batch {
    let names = ["a", "b", "c"];
    let mut fields: Vec<Field> = names.map(|n| Field::new(n, DataType::BigInt)).into();
    fields.push(Field::new("p", DataType::Boolean));
    let mut columns = Vec::new();
    for i in 0..NUMBERS {
        let values: Vec<Value> =
            rows.iter().map(|r| r.0[i].map_or(Value::Null, Value::BigInt)).collect();
        columns.push(column::from_values(&values, DataType::BigInt));
    }
    let values: Vec<Value> = rows.iter().map(|r| r.1.map_or(Value::Null, Value::Boolean)).collect();
    columns.push(column::from_values(&values, DataType::Boolean));
    let seqs = crate::numbers::Numbers::run(1, rows.len());
    Batch::new(Schema::new(fields), columns, seqs)
}

#[test]
fn columns_at_a_time_equal_rows_at_a_time() {
    let mut r = Random(0x9E37_79B9_7F4A_7C15);
    let (mut computed, mut failed) = (0, 0);
    for _ in 0..3_000 {
        let rows = rows(&mut r);
        let batch = batch(&rows);
        let depth = 1 + r.below(4) as u32;
        let tree = truth(&mut r, depth);
        let expected: Vec<_> = rows.iter().map(|row| row_truth(&tree, row)).collect();
        let built = build_truth(&tree, &batch.schema);
        for expr in [Some(built.clone()), built.fold().ok()].into_iter().flatten() {
            match evaluate(&expr, &batch) {
                Ok(array) => {
                    computed += 1;
                    for (row, expected) in expected.iter().enumerate() {
                        let got = match column::value_at(&array, DataType::Boolean, row) {
                            Value::Boolean(v) => Some(v),
                            _ => None,
                        };
                        assert_eq!(Ok(got), *expected, "row {row} {:?} of {tree:?}", rows[row]);
                    }
                    let chosen: Vec<u32> = (0..ROWS as u32)
                        .filter(|row| expected[*row as usize] == Ok(Some(true)))
                        .collect();
                    assert_eq!(select(&expr, &batch).unwrap(), chosen, "{tree:?}");
                }
                Err(error) => {
                    failed += 1;
                    let row = error.row as usize;
                    assert_eq!(error.diagnostic.code, "run.division-by-zero");
                    assert_eq!(expected[row], Err(()), "row {row} {:?} of {tree:?}", rows[row]);
                }
            }
        }
    }
    // Both outcomes have to be met often for the test to say anything.
    assert!(computed > 1_000 && failed > 300, "{computed} computed, {failed} failed");
}
