//! The gallery's index: what each example is called and is about, read from its text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Result};

/// `examples/index.json`: an array, in the order of file names, of
/// `{"file", "title", "summary", "translations": {"ko": {"file", "title", "summary"}}}`.
///
/// # Errors
/// When an example is not UTF-8 or lacks a first heading.
pub fn index(files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<u8>> {
    let mut entries: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut translations = Vec::new();
    for (path, bytes) in files {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".md")) else { continue };
        if folder != Path::new("examples") || stem == "README" {
            continue;
        }
        let entry = describe(&format!("{stem}.md"), bytes)?;
        match stem.split_once('.') {
            None => drop(entries.insert(stem, entry)),
            Some((of, language)) => translations.push((of, language, entry)),
        }
    }
    for (of, language, entry) in translations {
        let original = entries.get_mut(of).ok_or_else(|| {
            Failure::new(format!("examples/{of}.{language}.md translates no example"))
        })?;
        let all = original.entry("translations").or_insert_with(|| json!({}));
        all[language] = Value::Object(entry);
    }
    let list: Vec<_> = entries.into_values().collect();
    serde_json::to_vec_pretty(&list)
        .map_err(|cause| Failure::while_doing("examples/index.json", cause))
}

fn describe(file: &str, bytes: &[u8]) -> Result<Map<String, Value>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|cause| Failure::while_doing(format_args!("examples/{file}"), cause))?;
    let (title, summary) = title_and_summary(text);
    if title.is_empty() {
        return Err(Failure::new(format!("examples/{file} has no heading to be its title")));
    }
    let mut entry = Map::new();
    entry.insert("file".into(), file.into());
    entry.insert("title".into(), title.into());
    entry.insert("summary".into(), summary.into());
    Ok(entry)
}

/// The text of the first heading and of the first paragraph after it, without markup.
fn title_and_summary(text: &str) -> (String, String) {
    let (mut title, mut summary) = (String::new(), String::new());
    let (mut in_title, mut in_summary) = (false, false);
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { .. }) if title.is_empty() => in_title = true,
            Event::End(TagEnd::Heading(_)) => in_title = false,
            Event::Start(Tag::Paragraph) if !title.is_empty() => in_summary = true,
            Event::End(TagEnd::Paragraph) if in_summary => break,
            Event::Text(part) | Event::Code(part) if in_title => title.push_str(&part),
            Event::Text(part) | Event::Code(part) if in_summary => summary.push_str(&part),
            Event::SoftBreak | Event::HardBreak if in_summary => summary.push(' '),
            _ => {}
        }
    }
    (title, summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        list.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn an_entry_says_what_the_example_says() {
        let list = files(&[
            ("examples/b.md", "# B & `two`\n\nFirst *words*\nof [it](x).\n\nMore.\n"),
            ("examples/a.md", "intro\n\n# A\n\n```sql\nSELECT 1\n```\n\n> Said.\n"),
            ("examples/b.ko.md", "# 비\n\n글.\n"),
            ("examples/README.md", "# No example\n"),
            ("examples/data/notes.md", "# No example\n"),
            ("index.html", ""),
        ]);
        let bytes = index(&list).expect("index");
        let found: Value = serde_json::from_slice(&bytes).expect("json");
        let expected = json!([
            { "file": "a.md", "title": "A", "summary": "Said." },
            { "file": "b.md", "title": "B & two", "summary": "First words of it.",
              "translations": { "ko": { "file": "b.ko.md", "title": "비", "summary": "글." } } },
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn an_example_without_a_title_is_refused_by_name() {
        let failure = index(&files(&[("examples/c.md", "text\n")])).expect_err("no heading");
        assert!(failure.to_string().contains("examples/c.md"), "{failure}");
        let alone = index(&files(&[("examples/d.ko.md", "# D\n")])).expect_err("no original");
        assert!(alone.to_string().contains("d.ko.md"), "{alone}");
    }
}
