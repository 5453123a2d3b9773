//! The manifest of a guest: what it is, what it reads and gives, readable without running it.

use highwater_abi::{MANIFEST_SECTION, types};

use super::manifest_json::wrong;
use crate::error::{Diagnostic, Result};
use crate::schema::DataType;
use crate::value::Value;

/// What kind of operator a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// A window: `win_*` exports.
    Window,
    /// A join: `join_*` exports.
    Join,
    /// A function of one row's values: `fn_call`.
    Function,
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
    /// One input for a window and a function, two for a join. A function's columns are its arguments.
    pub inputs: Vec<GuestInput>,
    /// The result columns of a window, the one result of a function; empty for a join.
    pub output: Vec<Typed>,
    /// The fields of one accumulator, in slab order; INT, BIGINT, FLOAT, DOUBLE, BOOLEAN and timestamps only.
    pub state: Vec<Typed>,
    /// What a caller may set.
    pub parameters: Vec<Parameter>,
    /// Of a function: its result is NULL when an argument is, and it never sees a NULL. Otherwise it is called
    /// for every row.
    pub strict: bool,
}

impl Manifest {
    /// Finds and decodes the manifest of a module without running it.
    ///
    /// # Errors
    /// `guest.manifest` when there is none, or it says something it may not.
    pub fn of_module(module: &[u8]) -> Result<Manifest> {
        let mut found = None;
        for payload in wasmparser::Parser::new(0).parse_all(module) {
            let payload =
                payload.map_err(|e| Diagnostic::new("guest.not-wasm", e.message().to_owned()))?;
            if let wasmparser::Payload::CustomSection(section) = payload
                && section.name() == MANIFEST_SECTION
                && found.replace(section.data()).is_some()
            {
                return Err(wrong("the module has two manifests"));
            }
        }
        let json = found.ok_or_else(|| {
            Diagnostic::new("guest.manifest", "the module has no manifest").hint(format!(
                "a guest describes itself in the custom section `{MANIFEST_SECTION}`; the SDK's \
                 macros write it"
            ))
        })?;
        Manifest::from_json(json)
    }

    /// Where each state field begins in an accumulator, and the accumulator's length: fields in order,
    /// each at a multiple of its size, the whole a multiple of 8. As a C struct.
    pub fn state_layout(&self) -> (Vec<u32>, u32) {
        let mut at = 0u32;
        let mut offsets = Vec::with_capacity(self.state.len());
        for field in &self.state {
            let size = fixed_size(field.data_type);
            at = at.next_multiple_of(size);
            offsets.push(at);
            at += size;
        }
        (offsets, at.next_multiple_of(8))
    }

    /// The fields of one accumulator as values, for showing them.
    ///
    /// # Panics
    /// When `slot` is not exactly one accumulator long.
    pub fn read_state(&self, slot: &[u8]) -> Vec<Value> {
        let (offsets, stride) = self.state_layout();
        assert_eq!(slot.len(), stride as usize, "one accumulator");
        let field = |(field, at): (&Typed, &u32)| {
            let bytes = &slot[*at as usize..][..fixed_size(field.data_type) as usize];
            read_fixed(field.data_type, bytes)
        };
        self.state.iter().zip(&offsets).map(field).collect()
    }
}

impl GuestKind {
    /// `window`, `join` or `function`, as the manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            GuestKind::Window => "window",
            GuestKind::Join => "join",
            GuestKind::Function => "function",
        }
    }
}

/// Appends a manifest to a module, for languages that cannot write custom sections themselves.
pub fn pack(module: &[u8], manifest: &Manifest) -> Vec<u8> {
    use wasm_encoder::Encode as _;
    let json = manifest.to_json();
    let mut section = Vec::new();
    MANIFEST_SECTION.encode(&mut section);
    section.extend_from_slice(json.as_bytes());
    let mut packed = module.to_vec();
    packed.push(0);
    section.as_slice().encode(&mut packed);
    packed
}

/// The ABI's code of a type; `None` for the types guests do not know.
pub(super) fn type_code(data_type: DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Boolean => types::BOOLEAN,
        DataType::Int => types::INT,
        DataType::BigInt => types::BIGINT,
        DataType::Float => types::FLOAT,
        DataType::Double => types::DOUBLE,
        DataType::String => types::STRING,
        DataType::Bytes => types::BYTES,
        DataType::Date => types::DATE,
        DataType::Timestamp | DataType::TimestampLtz => types::TIMESTAMP,
        DataType::Null | DataType::Decimal(..) => return None,
    })
}

fn fixed_size(data_type: DataType) -> u32 {
    match data_type {
        DataType::Boolean => 1,
        DataType::Int | DataType::Float | DataType::Date => 4,
        _ => 8,
    }
}

fn read_fixed(data_type: DataType, bytes: &[u8]) -> Value {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    let wide = i64::from_le_bytes(eight);
    let narrow = wide as i32;
    match data_type {
        DataType::Boolean => Value::Boolean(bytes[0] != 0),
        DataType::Int => Value::Int(narrow),
        DataType::Float => Value::Float(f32::from_bits(narrow as u32)),
        DataType::Date => Value::Date(narrow),
        DataType::Double => Value::Double(f64::from_bits(wide as u64)),
        DataType::Timestamp => Value::Timestamp(wide),
        DataType::TimestampLtz => Value::TimestampLtz(wide),
        _ => Value::BigInt(wide),
    }
}
