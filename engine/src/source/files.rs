//! The files of a job: bytes by the path the script writes. The engine opens nothing itself.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The contents of the files a script may name, given to the engine by its host.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    /// Adds a file under the path as the script writes it; an earlier one of that path is replaced.
    pub fn insert(&mut self, path: &str, bytes: impl Into<Arc<[u8]>>) {
        self.0.insert(plain(path).to_owned(), bytes.into());
    }

    /// The content of the file at `path`.
    pub fn get(&self, path: &str) -> Option<Arc<[u8]>> {
        self.0.get(plain(path)).cloned()
    }

    /// All paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The file at `path`, or the files in the folder `path` in the order of their names, leaving
    /// out those whose name begins with `.` or `_` as Flink does.
    pub fn matching(&self, path: &str) -> Vec<(&str, Arc<[u8]>)> {
        let path = plain(path);
        if let Some((name, bytes)) = self.0.get_key_value(path) {
            return vec![(name, Arc::clone(bytes))];
        }
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.0
            .range(folder.clone()..)
            .take_while(|(name, _)| name.starts_with(&folder))
            .filter(|(name, _)| {
                !name[folder.len()..].split('/').any(|part| part.starts_with(['.', '_']))
            })
            .map(|(name, bytes)| (name.as_str(), Arc::clone(bytes)))
            .collect()
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
