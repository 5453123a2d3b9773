//! Functions written with the SDK, and hand-written ones that misbehave, called column by column.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array};
use highwater_engine::batch::Batch;
use highwater_engine::expr::guest::GuestFunction;
use highwater_engine::expr::{self, Expr};
use highwater_engine::numbers::Numbers;
use highwater_engine::schema::{DataType, Field, Schema};
use highwater_engine::udf::{Guest, GuestModule, Limits};

use crate::guests::built;
use crate::{admit, sandbox};

fn function(module: &[u8]) -> GuestFunction {
    let module = admit(module);
    let mut function = GuestFunction::new("f", "f.wasm", Arc::new(module.manifest().clone()));
    function.link(Guest::new(module, Arc::new(sandbox::Interpreter), &[]));
    function
}

/// A call of the function with columns of a batch.
fn call(module: &[u8], types: &[DataType], columns: Vec<ArrayRef>) -> (Expr, Batch) {
    let fields: Vec<Field> =
        types.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), *t)).collect();
    let args = fields.iter().enumerate().map(|(i, f)| Expr::column(i, f)).collect();
    let rows = columns.first().map_or(3, |c| c.len());
    let batch = Batch::new(Schema::new(fields), columns, Numbers::run(0, rows));
    (Expr::guest(function(module), args), batch)
}

fn longs(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

#[test]
fn a_strict_function_never_sees_a_null() {
    let module = built("linear");
    for rows in [1, 7, 8, 9, 1000] {
        let a: Vec<Option<i64>> = (0..rows).map(|i| (i % 5 != 3).then_some(i - 4)).collect();
        let b: Vec<Option<i64>> = (0..rows).map(|i| (i % 3 != 2).then_some(i64::MAX - i)).collect();
        let expected: Vec<Option<i64>> = a
            .iter()
            .zip(&b)
            .map(|(a, b)| Some((*a)?.wrapping_mul(908).wrapping_add((*b)?)))
            .collect();
        let types = [DataType::BigInt; 2];
        let (expr, batch) = call(&module, &types, vec![longs(a), longs(b)]);
        let found = expr::evaluate(&expr, &batch).expect("computed");
        assert_eq!(found.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), expected);
        let (expr, batch) =
            call(&module, &types, vec![longs(vec![None; 4]), longs(vec![Some(1); 4])]);
        assert_eq!(expr::evaluate(&expr, &batch).expect("computed").null_count(), 4);
    }
}

/// The cell of a place by whole numbers: the place as fractions of the axes, their bits taken in turn.
fn cell(latitude: f64, longitude: f64, length: usize) -> String {
    let scaled = |at: f64, half: f64| ((at + half) / (2.0 * half) * (1u64 << 40) as f64) as u64;
    let (lat, lon) = (scaled(latitude, 90.0), scaled(longitude, 180.0));
    let bits: Vec<usize> = (0..length * 5)
        .map(|i| (if i % 2 == 0 { lon } else { lat } >> (39 - i / 2) & 1) as usize)
        .collect();
    let digits = "0123456789bcdefghjkmnpqrstuvwxyz".as_bytes();
    bits.chunks(5).map(|five| digits[five.iter().fold(0, |n, b| n << 1 | b)] as char).collect()
}

#[test]
fn texts_come_back_and_a_function_may_give_null() {
    // The published examples: Jutland, and the corner where both axes are halved at once.
    assert_eq!(cell(57.64911, 10.40744, 11), "u4pruydqqvj");
    let mut lat = vec![57.64911, 0.0, 91.0, f64::NAN, 42.6];
    let mut lon = vec![10.40744, 0.0, 0.0, 0.0, -5.6];
    let mut length = vec![11, 1, 3, 3, 5];
    let mut expected =
        vec![Some("u4pruydqqvj".to_owned()), Some("s".into()), None, None, Some("ezs42".into())];
    for i in 0..2000_u32 {
        let (y, x) = (
            f64::from(i * 7919 % 1799) / 10.0 - 89.9,
            f64::from(i * 104_729 % 3599) / 10.0 - 179.9,
        );
        lat.push(y);
        lon.push(x);
        length.push((i % 12) as i32 + 1);
        expected.push(Some(cell(y, x, (i % 12) as usize + 1)));
    }
    let types = [DataType::Double, DataType::Double, DataType::Int];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(lat)),
        Arc::new(Float64Array::from(lon)),
        Arc::new(Int32Array::from(length)),
    ];
    let (expr, batch) = call(&built("geohash"), &types, columns);
    let found = expr::evaluate(&expr, &batch).expect("computed");
    let found: Vec<Option<String>> =
        found.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect();
    assert_eq!(found, expected);
}

/// A hand-written function of a BIGINT: `body` gets the address of the values, their number, and that of
/// the results.
fn written(strict: bool, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (@custom "highwater.manifest" "{{\"abi\":1,\"kind\":\"function\",\"name\":\"f\",\"version\":\"1\",\"description\":\"d\",\"inputs\":[{{\"name\":\"arguments\",\"columns\":[{{\"name\":\"a\",\"type\":\"BIGINT\"}}]}}],\"output\":[{{\"name\":\"result\",\"type\":\"BIGINT\"}}],\"state\":[],\"parameters\":[],\"strict\":{strict}}}")
        (memory (export "memory") 16 16)
        (global (export "hw_abi_1") i32 (i32.const 1))
        (func (export "hw_arena") (param i32) (result i32)
          (select (i32.const 1024) (i32.const 0) (i32.lt_u (local.get 0) (i32.const 1000000))))
        (func $body (param $values i32) (param $n i32) (param $results i32) (local $i i32) {body})
        (func (export "fn_call") (param $f i32) (result i32) (local $out i32) (local $n i32)
          (local.set $n (i32.load offset=8 (local.get $f)))
          (local.set $out (i32.add (local.get $f) (i32.load offset=32 (local.get $f))))
          (i32.store offset=8 (local.get $out) (local.get $n))
          (i32.store offset=12 (local.get $out) (i32.const 1))
          (i32.store8 offset=16 (local.get $out) (i32.const 3))
          (i32.store offset=24 (local.get $out) (i32.add (i32.load offset=32 (local.get $f)) (i32.const 40)))
          (i32.store offset=28 (local.get $out) (i32.mul (local.get $n) (i32.const 8)))
          (i32.store offset=36 (local.get $out) (local.get $n))
          (call $body (i32.add (local.get $f) (i32.load offset=56 (local.get $f))) (local.get $n)
            (i32.add (local.get $out) (i32.const 40)))
          (i32.const 0)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}"))
}

/// Divides 100 by each value: traps at 0.
const DIVIDE: &str = "(loop $next (if (i32.lt_u (local.get $i) (local.get $n)) (then
    (i64.store (i32.add (local.get $results) (i32.shl (local.get $i) (i32.const 3)))
      (i64.div_s (i64.const 100) (i64.load (i32.add (local.get $values) (i32.shl (local.get $i) (i32.const 3))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next))))";

#[test]
fn the_row_that_traps_is_named() {
    let values = |zero: usize| {
        let mut values: Vec<Option<i64>> = (1..=100).map(Some).collect();
        values[7] = None;
        values[zero] = Some(0);
        vec![longs(values)]
    };
    let module = written(true, DIVIDE);
    for zero in [0, 6, 8, 99] {
        let (expr, batch) = call(&module, &[DataType::BigInt], values(zero));
        let error = expr::evaluate(&expr, &batch).expect_err("a division by zero");
        assert_eq!((error.row, error.diagnostic.code), (zero as u32, "guest.trap"), "{zero}");
        assert!(error.diagnostic.message.starts_with("f: `fn_call` trapped"));
    }
    // A function that is called for NULL sees a zero behind it.
    let (expr, batch) = call(&written(false, DIVIDE), &[DataType::BigInt], values(50));
    assert_eq!(expr::evaluate(&expr, &batch).expect_err("called").row, 7);
}

#[test]
fn lies_about_the_result_are_found() {
    let lie = |body: &str| {
        let columns = vec![longs(vec![Some(1), Some(2), Some(3)])];
        let (expr, batch) = call(&written(true, body), &[DataType::BigInt], columns);
        let error = expr::evaluate(&expr, &batch).expect_err(body).diagnostic;
        assert_eq!(error.code, "guest.bad-output", "{body}: {error}");
        error.message
    };
    // The head stands 40 bytes before the results.
    let set = |at: i32, value: i32| {
        format!(
            "(i32.store (i32.sub (local.get $results) (i32.const {})) (i32.const {value}))",
            40 - at
        )
    };
    for (at, value, message) in [
        (8, 2, "2 rows, at most 1"),
        (8, 0, "it has 1 rows, not 0"),
        (12, 2, "2 columns, not the 1 promised"),
        (16, 2, "type code is 2, not 3"),
        (20, -4, "validity bits"),
        (24, 0, "values (8 bytes at 0) leave the output region"),
        (24, i32::MAX, "leave the output region"),
        (28, 7, "take 8 bytes, it has 7"),
        (36, 9, "it has 9 rows"),
    ] {
        let told = lie(&set(at, value));
        assert!(told.contains(message), "{at} = {value}: {told}");
    }
}

#[test]
fn a_module_without_the_export_is_no_function() {
    let module = written(true, "").to_vec();
    let hidden: Vec<u8> = {
        let at = module.windows(7).position(|w| w == b"fn_call").expect("exported");
        let mut module = module;
        module[at..at + 7].copy_from_slice(b"fn_cell");
        module
    };
    let error = GuestModule::admit(&hidden, Limits::default()).expect_err("refused");
    assert_eq!(error.code, "guest.export");
}
