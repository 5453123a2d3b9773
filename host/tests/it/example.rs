//! The examples as tests open them: text, data, guests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater_builder::artifacts;
use highwater_engine::session::{Files, NeedKind, check, needs};

/// The folder of the examples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// An example's text and the files it needs.
pub struct Example {
    pub name: String,
    pub text: String,
    pub files: Files,
}

/// Every example, by name.
pub fn all() -> Vec<Example> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the examples")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md") && !name.ends_with(".ko.md") && name != "README.md")
        .collect();
    names.sort();
    names.iter().map(|name| open(name)).collect()
}

/// One example.
pub fn open(name: &str) -> Example {
    let text = fs::read_to_string(folder().join(name)).expect("an example");
    with_text(name, &text)
}

/// A script of the test's own that may use the examples' data and guests.
pub fn with_text(name: &str, text: &str) -> Example {
    let mut files = Files::default();
    for need in needs(name, text).expect("a script that can be read") {
        let path = match need.kind {
            NeedKind::Data => folder().join(&need.path),
            NeedKind::Guest => {
                let file = Path::new(&need.path).file_name().expect("a file");
                artifacts::guests().expect("the guests build").join(file)
            }
        };
        files.insert(&need.path, fs::read(&path).expect("a needed file"));
    }
    Example { name: name.to_owned(), text: text.to_owned(), files }
}

/// What an example tells is what its run gives: ledgers, rows, late records, events.
#[test]
fn what_examples_expect_holds() {
    let mut blocks = 0;
    for Example { name, text, files } in all() {
        let found = check(&name, &text, &files, Arc::new(WasmtimeSandbox::default()));
        let found = found.unwrap_or_else(|errors| panic!("{name}: {}", errors[0]));
        for block in &found.blocks {
            assert_eq!(block.actual, block.expected, "{name}:{}: {}", block.line, block.title);
        }
        assert_eq!(found.never_struck, [""; 0], "{name}");
        blocks += found.blocks.len();
    }
    assert!(blocks > 20, "{blocks} blocks");
}
