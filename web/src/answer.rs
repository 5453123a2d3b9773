//! What the server and the engine answer, read from JSON.

use serde_json::Value;

use crate::model::{Example, Problem, TableInfo};

/// Reads `examples/index.json`.
pub fn read_gallery(text: &str) -> Option<Vec<Example>> {
    let v: Value = serde_json::from_str(text).ok()?;
    let text = |v: &Value, name: &str| v[name].as_str().unwrap_or_default().to_owned();
    let entries = v.as_array()?.iter().map(|e| Example {
        file: text(e, "file"),
        title: text(e, "title"),
        summary: text(e, "summary"),
    });
    Some(entries.filter(|e| !e.file.is_empty()).collect())
}

/// Reads `{"diagnostics":[…]}`; anything else is one problem that says so.
pub fn read_problems(text: &str) -> Vec<Problem> {
    let v: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    match v["diagnostics"].as_array() {
        Some(list) if !list.is_empty() => list.iter().map(Problem::from_json).collect(),
        _ => vec![Problem::new("page.engine", format!("the engine answered: {text}"))],
    }
}

/// Reads the names of the output tables.
pub fn read_tables(text: &str) -> Vec<TableInfo> {
    let v: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let tables = v["tables"].as_array().cloned().unwrap_or_default();
    let name = |v: &Value| v["name"].as_str().unwrap_or_default().to_owned();
    let info = |t: &Value| TableInfo {
        name: name(t),
        columns: t["columns"].as_array().map(|c| c.iter().map(name).collect()).unwrap_or_default(),
        updating: t["updating"].as_bool().unwrap_or(false),
    };
    tables.iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    #[test]
    fn the_engines_json_is_read() {
        let text = r#"{"step":3,"at_us":7,"events":2,"finished":true,"failed":null,"hash":"ab","horizon":9}"#;
        let s = Status::from_json(text).expect("it is a status");
        assert_eq!((s.step, s.at, s.horizon, s.finished, s.failed), (3, 7, 9, true, None));
        assert_eq!(Status::from_json("nonsense"), None);
        let problems = read_problems(
            r#"{"diagnostics":[{"code":"sql.x","message":"m","hint":null,"source":"a.md","line":3,"column":5,"end_line":3,"end_column":9}]}"#,
        );
        assert_eq!(problems[0].line(), "a.md:3:5: m [sql.x]");
        assert_eq!(problems[0].place, Some([3, 5, 3, 9]));
        let tables = read_tables(
            r#"{"tables":[{"name":"out","columns":[{"name":"k","type":"STRING"}],"updating":true}]}"#,
        );
        assert_eq!(tables[0].columns, ["k"]);
    }

    #[test]
    fn the_gallery_is_read_and_nonsense_is_none() {
        let entries = read_gallery(r#"[{"file":"a.md","title":"A","summary":"b"},{"title":"C"}]"#);
        let entries = entries.expect("a list");
        assert_eq!(entries.len(), 1, "an entry without a file is left out");
        assert_eq!((entries[0].title.as_str(), entries[0].summary.as_str()), ("A", "b"));
        assert!(read_gallery("{}").is_none() && read_gallery("nonsense").is_none());
        assert_eq!(read_problems("nonsense")[0].code, "page.engine");
        assert!(read_tables("nonsense").is_empty());
    }
}
