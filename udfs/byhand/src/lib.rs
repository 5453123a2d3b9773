//! Guests written by hand, in WebAssembly text: windows of one length that count their records, and a join of rows in
//! which a number does not fall. Jobs that the simulation draws have them, and guests that misbehave are the first with some exports of
//! their own.

/// What any of them is made of.
const FRAMES: &str = include_str!("../frames.wat");
const COUNTING: &str = include_str!("../counting.wat");
const PAIRING: &str = include_str!("../pairing.wat");

/// Where scripts find [`counting`], as those of built guests.
pub const COUNTING_PATH: &str = "udfs/counting.wasm";

/// Where they find [`pairing`].
pub const PAIRING_PATH: &str = "udfs/pairing.wasm";

/// The length of the windows of [`counting`], milliseconds.
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
pub fn counting() -> Vec<u8> {
    assemble("counting", LENGTH, "").expect("the guest is valid text")
}

/// The guest `pairing`: of the pairs of `early` and `late` those whose `b`, a BIGINT, is not less in `late`.
///
/// # Panics
/// Never: its text is part of this crate.
pub fn pairing() -> Vec<u8> {
    let exports = "(export \"hw_arena\" (func $arena))\n(export \"join_match\" (func $match))";
    let text = format!("(module\n{FRAMES}\n{PAIRING}\n{exports})");
    wat::parse_str(text).expect("the guest is valid text")
}

/// All of them, each with where scripts find it.
pub fn all() -> [(&'static str, Vec<u8>); 2] {
    [(COUNTING_PATH, counting()), (PAIRING_PATH, pairing())]
}

/// [`counting`] under another name, with windows of so many milliseconds, and with other functions: WebAssembly text that
/// defines the exports that differ, and may call `$assign`, `$accumulate`, `$result` and the rest of the text here.
///
/// # Errors
/// What the assembler says of the text.
pub fn assemble(name: &str, length: i64, text: &str) -> Result<Vec<u8>, wat::Error> {
    let own = |export: &str| text.contains(&format!("(export \"{export}\")"));
    let exports = EXPORTS.iter().filter(|(export, _)| !own(export));
    let exports: String =
        exports.map(|(export, of)| format!("(export \"{export}\" (func {of}))\n")).collect();
    let base = COUNTING.replace("NAME", &name.replace('-', "_"));
    let base = base.replace("LENGTH", &length.to_string());
    wat::parse_str(format!("(module\n{FRAMES}\n{base}\n{text}\n{exports})"))
}
