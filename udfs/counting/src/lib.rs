//! A window guest written by hand, in WebAssembly text: it counts the records of windows of one length. Jobs that the
//! simulation draws have it, and guests that misbehave are this one with some exports of their own.

/// What the module counts in: `counting.wat`.
const TEXT: &str = include_str!("../counting.wat");

/// Where scripts find [`module`], as those of built guests.
pub const PATH: &str = "udfs/counting.wasm";

/// The length of the windows of [`module`], milliseconds.
pub const LENGTH: i64 = 5_000;

/// The exports a window needs, with the function of `counting.wat` that does it.
const EXPORTS: [(&str, &str); 4] = [
    ("hw_arena", "$arena"),
    ("win_assign", "$assign"),
    ("win_accumulate", "$accumulate"),
    ("win_result", "$result"),
];

/// The guest `counting`: of each window of [`LENGTH`] its records in `n`, a BIGINT.
///
/// # Panics
/// Never: its text is part of this crate.
pub fn module() -> Vec<u8> {
    assemble("counting", LENGTH, "").expect("the guest is valid text")
}

/// The same under another name, with windows of so many milliseconds, and with other functions: WebAssembly text that
/// defines the exports that differ, and may call `$assign`, `$accumulate`, `$result` and the rest of `counting.wat`.
///
/// # Errors
/// What the assembler says of the text.
pub fn assemble(name: &str, length: i64, text: &str) -> Result<Vec<u8>, wat::Error> {
    let own = |export: &str| text.contains(&format!("(export \"{export}\")"));
    let exports = EXPORTS.iter().filter(|(export, _)| !own(export));
    let exports: String =
        exports.map(|(export, of)| format!("(export \"{export}\" (func {of}))\n")).collect();
    let base = TEXT.replace("NAME", &name.replace('-', "_"));
    let base = base.replace("LENGTH", &length.to_string());
    wat::parse_str(format!("(module\n{base}\n{text}\n{exports})"))
}
