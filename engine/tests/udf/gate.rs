//! What the gate refuses, and what it says.

use highwater_engine::udf::{GuestModule, Limits};
use highwater_hostile::{assemble, honest};

const MANIFEST: &str = "(@custom \"highwater.manifest\" \"{\\\"abi\\\":1,\\\"kind\\\":\\\"join\\\",\\\"name\\\":\\\"j\\\",\\\"version\\\":\\\"1\\\",\\\"description\\\":\\\"\\\",\\\"inputs\\\":[{\\\"name\\\":\\\"l\\\"},{\\\"name\\\":\\\"r\\\"}]}\")";
const EXPORTS: &str = "(global (export \"hw_abi_1\") i32 (i32.const 1))
    (func (export \"hw_arena\") (param i32) (result i32) (i32.const 0))
    (func (export \"join_match\") (param i32) (result i32) (i32.const 0))";
const MEMORY: &str = "(memory (export \"memory\") 1 1)";

fn refusal(module: &[u8]) -> (&'static str, String) {
    match GuestModule::admit(module, Limits::default()) {
        Ok(_) => ("admitted", String::new()),
        Err(e) => (e.code, e.to_string()),
    }
}

fn text(module: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {module})")).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn what_is_not_a_module_is_told_apart() {
    let mut cut = honest();
    cut.truncate(cut.len() / 2);
    let large = vec![0; (1 << 20) + 1];
    let cases: [(&[u8], &str, &str); 7] = [
        (b"", "guest.not-wasm", "empty"),
        (b"{\"a\":1}", "guest.not-wasm", "00 61 73 6d"),
        (b"(module)", "guest.not-wasm", "text form"),
        (b"\x1f\x8b\x08\0", "guest.not-wasm", "compressed"),
        (b"\0asm\x0d\0\x01\0", "guest.not-wasm", "component"),
        (&cut, "guest.invalid", "at byte"),
        (&large, "guest.too-large", "1048576"),
    ];
    for (module, code, hint) in cases {
        let (is, text) = refusal(module);
        assert_eq!(is, code, "{text}");
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn modules_that_ask_for_too_much_stay_out() {
    let locals = "(local i64)".repeat(1001);
    let body = "nop ".repeat(66_000);
    let nested = format!("{}{}", "(block ".repeat(300), ")".repeat(300));
    let params = "(param i32)".repeat(33);
    let targets = format!("(func (block (br_table {}(i32.const 0))))", "0 ".repeat(4_098));
    let functions = "(func)".repeat(10_001);
    let cases: Vec<(String, &str)> = vec![
        (format!("(import \"hw\" \"clock\" (func)){MEMORY}{EXPORTS}"), "guest.import"),
        (
            format!("(import \"wasi_snapshot_preview1\" \"fd_write\" (func)){MEMORY}{EXPORTS}"),
            "guest.import",
        ),
        (format!("(import \"hw\" \"log\" (func (param i32))){MEMORY}{EXPORTS}"), "guest.import"),
        (format!("(import \"hw\" \"log\" (global i32)){MEMORY}{EXPORTS}"), "guest.import"),
        (format!("(import \"env\" \"memory\" (memory 1 1)){EXPORTS}"), "guest.import"),
        (EXPORTS.into(), "guest.memory"),
        (format!("(memory (export \"memory\") 1){EXPORTS}"), "guest.memory"),
        (format!("(memory (export \"memory\") 1 257){EXPORTS}"), "guest.memory"),
        (format!("(memory 1 1){EXPORTS}"), "guest.memory"),
        (format!("{MEMORY}(memory 1 1){EXPORTS}"), "guest.feature"),
        (format!("(memory (export \"memory\") i64 1 1){EXPORTS}"), "guest.feature"),
        (format!("(memory (export \"memory\") 1 1 shared){EXPORTS}"), "guest.feature"),
        (format!("{MEMORY}{EXPORTS}(func $s)(start $s)"), "guest.start"),
        (format!("{MEMORY}{EXPORTS}(func (drop (v128.const i64x2 0 0)))"), "guest.feature"),
        (format!("{MEMORY}{EXPORTS}(func $f (return_call $f))"), "guest.feature"),
        (format!("{MEMORY}{EXPORTS}(tag)"), "guest.feature"),
        (format!("{MEMORY}{EXPORTS}(func (param externref))"), "guest.feature"),
        (format!("{MEMORY}{EXPORTS}(type (struct))"), "guest.feature"),
        (
            format!(
                "{MEMORY}{EXPORTS}(table 1 funcref)(func (drop (table.grow (ref.null func) (i32.const 1))))"
            ),
            "guest.feature",
        ),
        (format!("{MEMORY}{EXPORTS}(func {locals})"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}(func {body})"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}(func {nested})"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}(func {params})"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}{targets}"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}{functions}"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}(table 10001 funcref)"), "guest.too-large"),
        (format!("{MEMORY}{EXPORTS}(data (i32.const 65535) \"ab\")"), "guest.segment"),
        (format!("{MEMORY}{EXPORTS}(data (i32.const -1) \"ab\")"), "guest.segment"),
        (format!("{MEMORY}{EXPORTS}(table 1 1 funcref)(elem (i32.const 1) 0)"), "guest.segment"),
    ];
    for (module, code) in cases {
        let shown: String = module.chars().take(120).collect();
        let (is, message) = refusal(&text(&format!("{module}{MANIFEST}")));
        assert_eq!(is, code, "{shown}: {message}");
    }
}

#[test]
fn exports_are_matched_with_the_kind() {
    let arena = "(func (export \"hw_arena\") (param i32) (result i32) (i32.const 0))";
    let marker = "(global (export \"hw_abi_1\") i32 (i32.const 1))";
    let join = "(func (export \"join_match\") (param i32) (result i32) (i32.const 0))";
    let cases: Vec<(String, &str)> = vec![
        (format!("{MEMORY}{EXPORTS}{MANIFEST}"), "admitted"),
        (format!("{MEMORY}{EXPORTS}"), "guest.manifest"),
        (format!("{MEMORY}{EXPORTS}{MANIFEST}{MANIFEST}"), "guest.manifest"),
        (format!("{MEMORY}{arena}{join}{MANIFEST}"), "guest.abi"),
        (format!("{MEMORY}{marker}{join}{MANIFEST}"), "guest.export"),
        (format!("{MEMORY}{marker}{arena}{MANIFEST}"), "guest.export"),
        (
            format!("{MEMORY}{marker}{arena}(func (export \"join_match\")){MANIFEST}"),
            "guest.export",
        ),
        (
            format!(
                "{MEMORY}{marker}{arena}(global (export \"join_match\") i32 (i32.const 1)){MANIFEST}"
            ),
            "guest.export",
        ),
        (format!("{MEMORY}{EXPORTS}{MANIFEST}(func (export \"__hw_begin\"))"), "guest.export"),
    ];
    for (module, code) in cases {
        let (is, message) = refusal(&text(&module));
        assert_eq!(is, code, "{module}: {message}");
    }
}

#[test]
fn random_damage_never_panics() {
    let module = assemble("damaged", "").expect("valid text");
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut admitted = 0;
    for _ in 0..3_000 {
        let mut damaged = module.clone();
        for _ in 0..=next(3) {
            let at = next(damaged.len());
            damaged[at] ^= 1 << next(8);
        }
        if next(4) == 0 {
            damaged.truncate(next(damaged.len()));
        }
        // What is admitted has been validated again after metering.
        admitted += usize::from(GuestModule::admit(&damaged, Limits::default()).is_ok());
    }
    assert!(admitted > 0 && admitted < 3_000, "{admitted} of 3000 admitted");
}
