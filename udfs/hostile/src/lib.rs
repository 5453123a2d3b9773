//! Guests that misbehave, each a module that passes the gate, and what must come of it.

/// A guest and the code of the error that running it ends in; `None`: it ends well.
pub struct Hostile {
    /// Its name, that of its file under `guests/`.
    pub name: &'static str,
    /// The code of the diagnostic.
    pub code: Option<&'static str>,
    text: &'static str,
}

const BASE: &str = include_str!("../guests/base.wat");

/// The exports a guest needs, with the honest function that does it.
const EXPORTS: [(&str, &str); 4] = [
    ("hw_arena", "$arena"),
    ("win_assign", "$assign"),
    ("win_accumulate", "$accumulate"),
    ("win_result", "$result"),
];

macro_rules! guests {
    ($($name:literal => $code:expr),* $(,)?) => {
        &[$(Hostile {
            name: $name,
            code: $code,
            text: include_str!(concat!("../guests/", $name, ".wat")),
        }),*]
    };
}

/// All of them.
pub const ALL: &[Hostile] = guests![
    "abort" => Some("guest.abort"),
    "deep-recursion" => Some("guest.call-depth"),
    "endless-fill" => Some("guest.out-of-fuel"),
    "endless-loop" => Some("guest.out-of-fuel"),
    "foreign-window" => Some("guest.bad-output"),
    "greedy-answer" => Some("guest.bad-output"),
    "lying-arena" => Some("guest.bad-output"),
    "memory-bomb" => Some("guest.memory-limit"),
    "mutual-recursion" => Some("guest.call-depth"),
    "nan-payload" => None,
    "no-arena" => Some("guest.memory-limit"),
    "out-of-bounds" => Some("guest.bad-output"),
    "out-of-memory-access" => Some("guest.trap"),
    "own-error" => Some("guest.error"),
    "unreachable" => Some("guest.trap"),
    "wrong-rows" => Some("guest.bad-output"),
    "wrong-status" => Some("guest.bad-output"),
    "wrong-type" => Some("guest.bad-output"),
];

/// An honest guest: windows of one hour that count their records in `n`, a BIGINT.
///
/// # Panics
/// Never: its text is part of this crate.
pub fn honest() -> Vec<u8> {
    assemble("honest", "").expect("the honest guest is valid text")
}

impl Hostile {
    /// The module.
    ///
    /// # Panics
    /// Never: its text is part of this crate.
    pub fn module(&self) -> Vec<u8> {
        assemble(self.name, self.text).expect("the guest is valid text")
    }
}

/// The honest guest with other functions: WebAssembly text that defines the exports that differ, and may
/// call `$assign`, `$accumulate`, `$result` and the rest of `guests/base.wat`.
///
/// # Errors
/// What the assembler says of the text.
pub fn assemble(name: &str, text: &str) -> Result<Vec<u8>, wat::Error> {
    let own = |export: &str| text.contains(&format!("(export \"{export}\")"));
    let exports = EXPORTS.iter().filter(|(export, _)| !own(export));
    let exports: String =
        exports.map(|(export, of)| format!("(export \"{export}\" (func {of}))\n")).collect();
    let base = BASE.replace("NAME", &name.replace('-', "_"));
    wat::parse_str(format!("(module\n{base}\n{text}\n{exports})"))
}
