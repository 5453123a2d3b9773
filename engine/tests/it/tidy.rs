//! The rules of `ARCHITECTURE.md`, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The modules in the order of `lib.rs`.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let names = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_made = name == "target" || name == "node_modules" || name.starts_with('.');
        if path.is_dir() && !is_made {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    files
}

/// The first part of every `crate::` path in a text, also inside braces.
fn crate_paths(text: &str) -> Vec<String> {
    let word = |s: &str| -> String {
        s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split("};").next().unwrap_or("");
                found.extend(group.split(',').map(|part| word(part.trim())));
            }
            None => found.push(word(rest)),
        }
    }
    found
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let modules = modules();
    let place = |name: &str| modules.iter().position(|m| m == name);
    let mut upward = Vec::new();
    for file in sources() {
        let relative = file.strip_prefix(root().join("src")).expect("below src").to_path_buf();
        let first = relative.components().next().expect("a name").as_os_str();
        let own = Path::new(first).file_stem().expect("a stem").to_string_lossy().into_owned();
        let Some(own_place) = place(&own) else { continue };
        let text = fs::read_to_string(&file).expect("a source");
        for used in crate_paths(&text) {
            if place(&used).is_some_and(|p| p > own_place) {
                upward.push(format!("{} uses {used}", relative.display()));
            }
        }
    }
    upward.sort();
    upward.dedup();
    assert!(upward.is_empty(), "imports upwards:\n{}", upward.join("\n"));
}

#[test]
fn the_import_reader_sees_plain_paths_and_groups() {
    let text =
        "use crate::batch::Batch;\nuse crate::{archive, sim::Sim};\nlet x = crate::key::text(k);";
    assert_eq!(crate_paths(text), ["batch", "archive", "sim", "key"]);
}

#[test]
fn the_map_names_every_module_in_order() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let named: Vec<&str> =
        map.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(named, modules());
}

#[test]
fn files_say_what_they_are() {
    for file in sources() {
        let text = fs::read_to_string(&file).expect("a source");
        assert!(text.starts_with("//! "), "{} does not open with its purpose", file.display());
    }
}

#[test]
fn no_file_of_the_workspace_is_long() {
    let workspace = root().parent().expect("the workspace").to_path_buf();
    let mut files = Vec::new();
    rust_files(&workspace, &mut files);
    for part in ["engine", "host", "udfs", "web"] {
        assert!(files.iter().any(|file| file.starts_with(workspace.join(part))), "{part} is read");
    }
    for file in files {
        let lines = fs::read_to_string(&file).expect("a source").lines().count();
        assert!(lines <= 500, "{} has {lines} lines, more than 500", file.display());
    }
}
