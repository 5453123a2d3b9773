//! The files of a job by the path the script writes: bytes, or columns that the host decodes. The engine
//! opens nothing itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::columns::ColumnFile;

/// The contents of the files a script may name, given to the engine by its host.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, Content>);

/// What a file holds.
#[derive(Clone)]
enum Content {
    Bytes(Arc<[u8]>),
    Columns(Arc<dyn ColumnFile>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Content::Columns(_) => f.write_str("columns"),
        }
    }
}

impl Files {
    /// Adds a file under the path as the script writes it; an earlier one of that path is replaced.
    pub fn insert(&mut self, path: &str, bytes: impl Into<Arc<[u8]>>) {
        self.0.insert(plain(path).to_owned(), Content::Bytes(bytes.into()));
    }

    /// Adds a file that the host decodes into columns, for the formats the engine does not read itself.
    pub fn insert_columns(&mut self, path: &str, file: Arc<dyn ColumnFile>) {
        self.0.insert(plain(path).to_owned(), Content::Columns(file));
    }

    /// The content of the file at `path`, if it is given as bytes.
    pub fn get(&self, path: &str) -> Option<Arc<[u8]>> {
        self.0.get(plain(path)).and_then(Content::bytes)
    }

    /// The paths of all files given as bytes, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, c)| c.bytes().is_some()).map(|(path, _)| path.as_str())
    }

    /// The file at `path`, or the files in the folder `path` in the order of their names, leaving
    /// out those whose name begins with `.` or `_` as Flink does.
    pub fn matching(&self, path: &str) -> Vec<(&str, Arc<[u8]>)> {
        let all = self.contents(path).into_iter();
        all.filter_map(|(name, content)| Some((name, content.bytes()?))).collect()
    }

    /// The same for files that the host decodes into columns.
    pub(super) fn columns(&self, path: &str) -> Vec<(&str, Arc<dyn ColumnFile>)> {
        let all = self.contents(path).into_iter();
        all.filter_map(|(name, content)| match content {
            Content::Columns(file) => Some((name, Arc::clone(file))),
            Content::Bytes(_) => None,
        })
        .collect()
    }

    fn contents(&self, path: &str) -> Vec<(&str, &Content)> {
        let path = plain(path);
        if let Some((name, content)) = self.0.get_key_value(path) {
            return vec![(name, content)];
        }
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.0
            .range(folder.clone()..)
            .take_while(|(name, _)| name.starts_with(&folder))
            .filter(|(name, _)| {
                !name[folder.len()..].split('/').any(|part| part.starts_with(['.', '_']))
            })
            .map(|(name, content)| (name.as_str(), content))
            .collect()
    }
}

impl Content {
    fn bytes(&self) -> Option<Arc<[u8]>> {
        match self {
            Content::Bytes(bytes) => Some(Arc::clone(bytes)),
            Content::Columns(_) => None,
        }
    }
}

/// The path without the decorations that do not change which file it is.
fn plain(path: &str) -> &str {
    let path = path.strip_prefix("file://").unwrap_or(path);
    path.strip_prefix("./").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_file_or_a_folder() {
        let mut files = Files::default();
        for path in ["in/b.json", "./in/a.json", "in/_temporary", "in/.hidden/c.json", "inside"] {
            files.insert(path, path.as_bytes());
        }
        let names = |path: &str| -> Vec<String> {
            files.matching(path).into_iter().map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(names("in"), ["in/a.json", "in/b.json"]);
        assert_eq!(names("file://in/"), ["in/a.json", "in/b.json"]);
        assert_eq!(names("in/a.json"), ["in/a.json"]);
        assert_eq!(names("i"), [""; 0]);
        assert_eq!(files.get("./in/b.json").as_deref(), Some(b"in/b.json".as_slice()));
    }
}
