//! The manifest of a guest: what it is, what it reads and gives, readable without running it.

use crate::schema::DataType;
use crate::value::Value;

/// What kind of operator a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// A window: `win_*` exports.
    Window,
    /// A join: `join_*` exports.
    Join,
}

/// A named and typed column, state field or parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// Its name; columns are found in the table by it, in any case.
    pub name: String,
    /// Its type; the table's column is cast to it where that loses nothing.
    pub data_type: DataType,
}

/// One input table of a guest.
#[derive(Clone, Debug, PartialEq)]
pub struct GuestInput {
    /// The argument's name in SQL, such as `data`, `mainshock`.
    pub name: String,
    /// The columns the guest reads, in frame order. The event time always comes first in the frame and
    /// is not listed.
    pub columns: Vec<Typed>,
}

/// A parameter a caller may give by name.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name and type.
    pub typed: Typed,
    /// What it is when the caller says nothing; `None`: it must be given.
    pub default: Option<Value>,
}

/// Section `highwater.manifest` of a guest module, decoded from its JSON.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The ABI's version, 1.
    pub abi: u32,
    /// Window or join.
    pub kind: GuestKind,
    /// The guest's own name.
    pub name: String,
    /// The guest's own version.
    pub version: String,
    /// One sentence on what it does.
    pub description: String,
    /// One input for a window, two for a join.
    pub inputs: Vec<GuestInput>,
    /// The result columns of a window; empty for a join.
    pub output: Vec<Typed>,
    /// The fields of one accumulator, in slab order; INT, BIGINT, FLOAT, DOUBLE, BOOLEAN and timestamps only.
    pub state: Vec<Typed>,
    /// What a caller may set.
    pub parameters: Vec<Parameter>,
}
