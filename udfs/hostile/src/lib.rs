//! Guests that misbehave, each a module that passes the gate, and what must come of it.

/// A guest and the code of the error that running it ends in; `None`: it ends well.
pub struct Hostile {
    /// Its name, that of its file under `guests/`.
    pub name: &'static str,
    /// The code of the diagnostic.
    pub code: Option<&'static str>,
    text: &'static str,
}

/// The windows of [`honest`], milliseconds: an hour.
const HOUR: i64 = 3_600_000;

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

/// The honest guest with other functions: [`highwater_byhand::assemble`].
///
/// # Errors
/// What the assembler says of the text.
pub fn assemble(name: &str, text: &str) -> Result<Vec<u8>, wat::Error> {
    highwater_byhand::assemble(name, HOUR, text)
}
