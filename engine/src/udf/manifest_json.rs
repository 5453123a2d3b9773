//! The manifest's JSON: decoding with good errors, one canonical encoding.

use highwater_abi::VERSION;
use serde_json::{Map, Value as Json};

use super::manifest::{GuestInput, GuestKind, Manifest, Parameter, Typed};
use crate::error::{Diagnostic, Error, Result};
use crate::schema::DataType;
use crate::value::Value;

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
            Some("function") => GuestKind::Function,
            _ => {
                return Err(wrong("`kind` is neither \"window\" nor \"join\" nor \"function\""));
            }
        };
        let strict = match (map.get("strict"), kind) {
            (None, _) => true,
            (Some(Json::Bool(strict)), GuestKind::Function) => *strict,
            (Some(_), GuestKind::Function) => {
                return Err(wrong("`strict` is neither true nor false"));
            }
            (Some(_), _) => return Err(wrong("`strict` is said of functions only")),
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
            strict,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        let wanted = if self.kind == GuestKind::Join { 2 } else { 1 };
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
            GuestKind::Function if self.output.len() != 1 => {
                return Err(wrong("a function has one `output` column: its result"));
            }
            GuestKind::Function if !self.state.is_empty() || !self.parameters.is_empty() => {
                return Err(wrong(
                    "a function has neither `state` nor `parameters`: what it computes depends on its \
                     arguments alone",
                ));
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
            map.insert("type".into(), Json::from(t.data_type.to_string()));
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
        if self.kind == GuestKind::Function {
            map.insert("strict".into(), Json::from(self.strict));
        }
        Json::Object(map).to_string()
    }
}

const OPTIONAL: [&str; 5] = ["inputs", "output", "state", "parameters", "strict"];

pub(super) fn wrong(message: impl Into<String>) -> Error {
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
    known(map, "an input's ", &["name"], &["columns"])?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"abi":1,"kind":"window","name":"w","version":"1","description":"d","inputs":[{"name":"data","columns":[{"name":"a","type":"STRING"},{"name":"b","type":"TIMESTAMP(3)"}]}],"output":[{"name":"n","type":"BIGINT"}],"state":[{"name":"f","type":"BOOLEAN"},{"name":"n","type":"INT"},{"name":"x","type":"DOUBLE"},{"name":"g","type":"BOOLEAN"}],"parameters":[{"name":"p","type":"DOUBLE","default":1.5},{"name":"q","type":"BIGINT"}]}"#;

    #[test]
    fn the_canonical_encoding_comes_back() {
        let manifest = Manifest::from_json(GOOD.as_bytes()).expect("a good manifest");
        assert_eq!(manifest.to_json(), GOOD);
        let spaced = GOOD.replace(',', " ,\n ").replace(':', " : ");
        let manifest = Manifest::from_json(spaced.as_bytes()).expect("a good manifest");
        assert_eq!(manifest.to_json(), GOOD);
        // A C compiler puts bool, int, double, bool at 0, 4, 8, 16 of 24 bytes.
        assert_eq!(manifest.state_layout(), (vec![0, 4, 8, 16], 24));
        let mut slot = [0u8; 24];
        slot[0] = 1;
        slot[4..8].copy_from_slice(&(-7i32).to_le_bytes());
        slot[8..16].copy_from_slice(&2.5f64.to_le_bytes());
        let shown: Vec<String> = manifest.read_state(&slot).iter().map(Value::to_text).collect();
        assert_eq!(shown, ["TRUE", "-7", "2.5", "FALSE"]);
    }

    #[test]
    fn a_function_has_one_result_and_keeps_nothing() {
        const FUNCTION: &str = r#"{"abi":1,"kind":"function","name":"f","version":"1","description":"d","inputs":[{"name":"arguments","columns":[{"name":"a","type":"BYTES"}]}],"output":[{"name":"result","type":"STRING"}],"state":[],"parameters":[],"strict":false}"#;
        let manifest = Manifest::from_json(FUNCTION.as_bytes()).expect("a good manifest");
        assert_eq!((manifest.to_json().as_str(), manifest.strict), (FUNCTION, false));
        let plain = FUNCTION.replace(",\"strict\":false", "");
        assert!(Manifest::from_json(plain.as_bytes()).expect("a good manifest").strict);
        let cases = [
            ("[{\"name\":\"result\",\"type\":\"STRING\"}]", "[]", "one `output`"),
            ("\"state\":[]", "\"state\":[{\"name\":\"n\",\"type\":\"INT\"}]", "neither `state`"),
            ("\"strict\":false", "\"strict\":0", "neither true nor false"),
            ("[{\"name\":\"arguments\"", "[{\"name\":\"a\"},{\"name\":\"b\"", "2 entries, not 1"),
        ];
        for (from, to, message) in cases {
            assert!(FUNCTION.contains(from), "{from}");
            let error = Manifest::from_json(FUNCTION.replacen(from, to, 1).as_bytes());
            let error = error.expect_err(to);
            assert!(error.message.contains(message), "{to}: {}", error.message);
        }
        let window = GOOD.replace("\"parameters\":[", "\"strict\":true,\"parameters\":[");
        let error = Manifest::from_json(window.as_bytes()).expect_err("a window");
        assert!(error.message.contains("functions only"));
    }

    #[test]
    fn errors_name_the_member() {
        let cases = [
            ("\"abi\":1", "\"abi\":2", "`abi` is 2"),
            ("\"abi\":1", "\"abi\":\"1\"", "`abi`"),
            ("\"kind\":\"window\",", "", "`kind` is missing"),
            ("window", "table", "`kind` is neither"),
            ("window", "join", "`inputs` has 1 entries, not 2"),
            ("\"name\":\"w\"", "\"name\":\"1;drop\"", "which is no name"),
            ("\"version\":\"1\"", "\"version\":1", "`version` is not a string"),
            ("BIGINT", "DECIMAL(3, 1)", "the type of `n`"),
            ("DOUBLE", "STRING", "fixed size"),
            ("1.5", "\"x\"", "the default of `p` is no DOUBLE"),
            ("\"name\":\"b\"", "\"name\":\"A\"", "`columns` has `A` twice"),
            ("\"output\"", "\"outputs\"", "`outputs` is not known"),
            ("[{\"name\":\"n\",\"type\":\"BIGINT\"}]", "[]", "`output` is empty"),
            ("{\"abi\"", "[{\"abi\"", "not JSON"),
        ];
        for (from, to, message) in cases {
            assert!(GOOD.contains(from), "{from}");
            let error = Manifest::from_json(GOOD.replacen(from, to, 1).as_bytes()).expect_err(to);
            assert_eq!(error.code, "guest.manifest");
            assert!(error.message.contains(message), "{to}: {}", error.message);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Manifest::from_json(deep.as_bytes()).expect_err("deep").code, "guest.manifest");
    }
}
