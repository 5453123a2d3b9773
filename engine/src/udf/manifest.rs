//! The manifest of a guest: what it is, what it reads and gives, readable without running it.

use highwater_abi::{MANIFEST_SECTION, VERSION, types};
use serde_json::{Map, Value as Json};

use crate::error::{Diagnostic, Error, Result};
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

/// The longest manifest, in bytes of JSON.
const MAX_MANIFEST: usize = 64 * 1024;
/// The most columns, state fields or parameters.
const MAX_FIELDS: usize = 256;
/// The types of a state field or parameter: those of fixed size.
const FIXED: [DataType; 8] = [
    DataType::Boolean,
    DataType::Int,
    DataType::BigInt,
    DataType::Float,
    DataType::Double,
    DataType::Date,
    DataType::Timestamp,
    DataType::TimestampLtz,
];

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

    /// Decodes a manifest from its JSON.
    ///
    /// # Errors
    /// `guest.manifest`, naming the member that is wrong.
    pub fn from_json(json: &[u8]) -> Result<Manifest> {
        if json.len() > MAX_MANIFEST {
            return Err(wrong(format!("the manifest is longer than {MAX_MANIFEST} bytes")));
        }
        let json: Json = serde_json::from_slice(json)
            .map_err(|e| wrong(format!("the manifest is not JSON: {e}")))?;
        let Json::Object(map) = json else {
            return Err(wrong("the manifest is not a JSON object"));
        };
        known(&map, "", &["abi", "kind", "name", "version", "description"], &OPTIONAL)?;
        let abi = map["abi"].as_u64().unwrap_or(0);
        if abi != u64::from(VERSION) {
            return Err(wrong(format!("`abi` is {}, this engine speaks {VERSION}", map["abi"])));
        }
        let kind = match map["kind"].as_str() {
            Some("window") => GuestKind::Window,
            Some("join") => GuestKind::Join,
            _ => return Err(wrong("`kind` is neither \"window\" nor \"join\"")),
        };
        let manifest = Manifest {
            abi: VERSION,
            kind,
            name: name(&map["name"], "name")?,
            version: text(&map["version"], "version")?,
            description: text(&map["description"], "description")?,
            inputs: list(&map, "inputs", input)?,
            output: list(&map, "output", typed)?,
            state: list(&map, "state", typed)?,
            parameters: list(&map, "parameters", parameter)?,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        let wanted = if self.kind == GuestKind::Window { 1 } else { 2 };
        if self.inputs.len() != wanted {
            return Err(wrong(format!("`inputs` has {} entries, not {wanted}", self.inputs.len())));
        }
        match self.kind {
            GuestKind::Window if self.output.is_empty() => {
                return Err(wrong("`output` is empty: a window gives at least one column"));
            }
            GuestKind::Join if !self.output.is_empty() || !self.state.is_empty() => {
                return Err(wrong("a join has neither `output` nor `state`"));
            }
            _ => {}
        }
        distinct(self.inputs.iter().map(|i| &i.name), "inputs")?;
        for input in &self.inputs {
            distinct(input.columns.iter().map(|c| &c.name), "columns")?;
        }
        distinct(self.output.iter().map(|c| &c.name), "output")?;
        distinct(self.state.iter().map(|c| &c.name), "state")?;
        distinct(self.parameters.iter().map(|p| &p.typed.name), "parameters")?;
        for field in self.state.iter().chain(self.parameters.iter().map(|p| &p.typed)) {
            if !FIXED.contains(&field.data_type) {
                return Err(wrong(format!(
                    "`{}` is {}: state and parameters have types of fixed size",
                    field.name, field.data_type
                )));
            }
        }
        Ok(())
    }

    /// The one canonical encoding: members in a fixed order, no white space.
    pub fn to_json(&self) -> String {
        let typed = |t: &Typed| {
            let mut map = Map::new();
            map.insert("name".into(), Json::from(t.name.as_str()));
            map.insert("type".into(), Json::from(type_name(t.data_type)));
            map
        };
        let columns =
            |list: &[Typed]| Json::Array(list.iter().map(|t| Json::Object(typed(t))).collect());
        let mut map = Map::new();
        map.insert("abi".into(), Json::from(self.abi));
        map.insert("kind".into(), Json::from(self.kind.name()));
        map.insert("name".into(), Json::from(self.name.as_str()));
        map.insert("version".into(), Json::from(self.version.as_str()));
        map.insert("description".into(), Json::from(self.description.as_str()));
        let inputs = self.inputs.iter().map(|input| {
            let mut map = Map::new();
            map.insert("name".into(), Json::from(input.name.as_str()));
            map.insert("columns".into(), columns(&input.columns));
            Json::Object(map)
        });
        map.insert("inputs".into(), inputs.collect());
        map.insert("output".into(), columns(&self.output));
        map.insert("state".into(), columns(&self.state));
        let parameters = self.parameters.iter().map(|p| {
            let mut map = typed(&p.typed);
            if let Some(default) = &p.default {
                map.insert("default".into(), default.to_json());
            }
            Json::Object(map)
        });
        map.insert("parameters".into(), parameters.collect());
        Json::Object(map).to_string()
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
    /// `window` or `join`, as the manifest writes it.
    pub fn name(self) -> &'static str {
        match self {
            GuestKind::Window => "window",
            GuestKind::Join => "join",
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

const OPTIONAL: [&str; 4] = ["inputs", "output", "state", "parameters"];

fn wrong(message: impl Into<String>) -> Error {
    Diagnostic::new("guest.manifest", message)
}

fn known(map: &Map<String, Json>, of: &str, required: &[&str], optional: &[&str]) -> Result<()> {
    if let Some(missing) = required.iter().find(|name| !map.contains_key(**name)) {
        return Err(wrong(format!("{of}`{missing}` is missing")));
    }
    match map.keys().find(|k| !required.contains(&k.as_str()) && !optional.contains(&k.as_str())) {
        Some(unknown) => Err(wrong(format!("{of}`{unknown}` is not known"))),
        None => Ok(()),
    }
}

fn text(json: &Json, member: &str) -> Result<String> {
    match json.as_str() {
        Some(text) if text.len() <= 1024 && !text.chars().any(char::is_control) => Ok(text.into()),
        Some(_) => Err(wrong(format!("`{member}` is too long or holds control characters"))),
        None => Err(wrong(format!("`{member}` is not a string"))),
    }
}

/// A name that can stand in SQL without quotes.
fn name(json: &Json, member: &str) -> Result<String> {
    let name = text(json, member)?;
    let fine = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fine { Ok(name) } else { Err(wrong(format!("`{member}` is {name:?}, which is no name"))) }
}

fn list<T>(map: &Map<String, Json>, of: &str, item: impl Fn(&Json) -> Result<T>) -> Result<Vec<T>> {
    let items = match map.get(of) {
        None => return Ok(Vec::new()),
        Some(Json::Array(items)) if items.len() <= MAX_FIELDS => items,
        Some(_) => return Err(wrong(format!("`{of}` is no list of at most {MAX_FIELDS} entries"))),
    };
    items.iter().map(item).collect()
}

fn object(json: &Json) -> Result<&Map<String, Json>> {
    json.as_object().ok_or_else(|| wrong("a list holds something that is no JSON object"))
}

fn input(json: &Json) -> Result<GuestInput> {
    let map = object(json)?;
    known(map, "an input's ", &["name", "columns"], &[])?;
    Ok(GuestInput { name: name(&map["name"], "name")?, columns: list(map, "columns", typed)? })
}

fn typed(json: &Json) -> Result<Typed> {
    let map = object(json)?;
    known(map, "a column's ", &["name", "type"], &[])?;
    typed_of(map)
}

fn typed_of(map: &Map<String, Json>) -> Result<Typed> {
    let name = name(&map["name"], "name")?;
    match map["type"].as_str().and_then(type_of_name) {
        Some(data_type) => Ok(Typed { name, data_type }),
        None => Err(wrong(format!("the type of `{name}` is {}", map["type"])).hint(
            "guests know BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, STRING, BYTES, DATE, TIMESTAMP(3) and \
             TIMESTAMP_LTZ(3)",
        )),
    }
}

fn parameter(json: &Json) -> Result<Parameter> {
    let map = object(json)?;
    known(map, "a parameter's ", &["name", "type"], &["default"])?;
    let typed = typed_of(map)?;
    let default = match map.get("default") {
        None => None,
        Some(json) => Some(default_of(typed.data_type, json).ok_or_else(|| {
            wrong(format!("the default of `{}` is no {}", typed.name, typed.data_type))
        })?),
    };
    Ok(Parameter { typed, default })
}

fn default_of(data_type: DataType, json: &Json) -> Option<Value> {
    Some(match data_type {
        DataType::Boolean => Value::Boolean(json.as_bool()?),
        DataType::Int => Value::Int(i32::try_from(json.as_i64()?).ok()?),
        DataType::BigInt => Value::BigInt(json.as_i64()?),
        DataType::Float => Value::Float(json.as_f64()? as f32),
        DataType::Double => Value::Double(json.as_f64()?),
        DataType::Date => Value::Date(crate::time::parse_date(json.as_str()?)?),
        DataType::Timestamp => Value::Timestamp(crate::time::parse_timestamp(json.as_str()?)?),
        DataType::TimestampLtz => {
            Value::TimestampLtz(crate::time::parse_timestamp(json.as_str()?)?)
        }
        _ => return None,
    })
}

fn type_name(data_type: DataType) -> String {
    data_type.to_string()
}

fn type_of_name(name: &str) -> Option<DataType> {
    Some(match name {
        "BOOLEAN" => DataType::Boolean,
        "INT" => DataType::Int,
        "BIGINT" => DataType::BigInt,
        "FLOAT" => DataType::Float,
        "DOUBLE" => DataType::Double,
        "STRING" => DataType::String,
        "BYTES" => DataType::Bytes,
        "DATE" => DataType::Date,
        "TIMESTAMP(3)" => DataType::Timestamp,
        "TIMESTAMP_LTZ(3)" => DataType::TimestampLtz,
        _ => return None,
    })
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>, of: &str) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(wrong(format!("`{of}` has `{name}` twice")));
        }
    }
    Ok(())
}
