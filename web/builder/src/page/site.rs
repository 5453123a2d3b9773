//! Which files make the page, and where each comes from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{examples, policy};
use crate::failure::{Failure, Result};
use crate::workspace;

/// Where the parts of the page lie.
pub struct Parts<'a> {
    /// The workspace: `web/` and `examples/` are below it.
    pub root: &'a Path,
    /// `engine.wasm`.
    pub engine: &'a Path,
    /// The folder of built guests.
    pub guests: &'a Path,
    /// The folder wasm-bindgen wrote.
    pub glue: &'a Path,
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Makes `folder` hold exactly the page's files; files that are already right are left alone.
///
/// # Errors
/// When a file cannot be read or written, or an example has no title.
pub fn assemble(parts: &Parts<'_>, folder: &Path) -> Result<()> {
    let mut files = Files::new();
    let web = parts.root.join("web");
    for path in list(&web)? {
        let is_asset = path.extension().is_some_and(|end| end != "toml" && end != "md");
        if path.is_file() && is_asset && policy::mime(&path).is_some() {
            insert(&mut files, &web, &path)?;
        }
    }
    collect(&mut files, parts.glue, parts.glue, Path::new(""))?;
    collect(&mut files, parts.guests, parts.guests, Path::new("udfs"))?;
    let examples = parts.root.join("examples");
    collect(&mut files, &examples, &examples, Path::new("examples"))?;
    let index = examples::index(&files)?;
    files.insert(PathBuf::from("examples/index.json"), index);
    let engine = fs::read(parts.engine).map_err(Failure::file("read", parts.engine))?;
    files.insert(PathBuf::from("engine.wasm"), engine);
    for (path, bytes) in &files {
        workspace::write_if_changed(&folder.join(path), bytes)?;
    }
    remove_others(folder, folder, &files)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Failure::file("list", folder))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn insert(files: &mut Files, base: &Path, path: &Path) -> Result<()> {
    let bytes = fs::read(path).map_err(Failure::file("read", path))?;
    files.insert(path.strip_prefix(base).unwrap_or(path).to_owned(), bytes);
    Ok(())
}

/// Every file below `folder` that the server would serve, at the same place below `prefix`.
fn collect(files: &mut Files, base: &Path, folder: &Path, prefix: &Path) -> Result<()> {
    for path in list(folder)? {
        if path.is_dir() {
            collect(files, base, &path, prefix)?;
        } else if policy::mime(&path).is_some() {
            let bytes = fs::read(&path).map_err(Failure::file("read", &path))?;
            files.insert(prefix.join(path.strip_prefix(base).unwrap_or(&path)), bytes);
        }
    }
    Ok(())
}

fn remove_others(base: &Path, folder: &Path, files: &Files) -> Result<()> {
    for path in list(folder)? {
        if path.is_dir() {
            remove_others(base, &path, files)?;
            // Fails, rightly, when something is left in it.
            let _ = fs::remove_dir(&path);
        } else if !files.contains_key(path.strip_prefix(base).unwrap_or(&path)) {
            fs::remove_file(&path).map_err(Failure::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        workspace::write_if_changed(path, text.as_bytes()).expect("write");
    }

    #[test]
    fn the_site_is_exactly_its_parts() {
        let root = std::env::temp_dir().join(format!("highwater-site-{}", std::process::id()));
        for (path, text) in [
            ("web/index.html", "<!doctype html>"),
            ("web/style.css", "a {}"),
            ("web/worker.js", "export {}"),
            ("web/Cargo.toml", "[package]"),
            ("web/src/lib.rs", "secret"),
            ("examples/a.md", "# A\n\nText.\n"),
            ("examples/data/a.jsonl", "{}"),
            ("examples/embed.py", "print()"),
            ("out/engine.wasm", "engine"),
            ("out/udfs/swarm.wasm", "guest"),
            ("out/glue/highwater_web.js", "glue"),
            ("out/glue/snippets/x/inline.js", "snippet"),
            ("site/old.js", "old"),
            ("site/gone/old.js", "old"),
        ] {
            write(&root.join(path), text);
        }
        let out = root.join("out");
        let (engine, guests, glue) = (out.join("engine.wasm"), out.join("udfs"), out.join("glue"));
        let parts = Parts { root: &root, engine: &engine, guests: &guests, glue: &glue };
        assemble(&parts, &root.join("site")).expect("assemble");
        let mut files = Files::new();
        let site = root.join("site");
        collect(&mut files, &site, &site, Path::new("")).expect("collect");
        let names: Vec<_> = files.keys().map(|path| path.to_str().expect("utf-8")).collect();
        assert_eq!(
            names,
            [
                "engine.wasm",
                "examples/a.md",
                "examples/data/a.jsonl",
                "examples/index.json",
                "highwater_web.js",
                "index.html",
                "snippets/x/inline.js",
                "style.css",
                "udfs/swarm.wasm",
                "worker.js",
            ]
        );
        assert!(!site.join("gone").exists());
        fs::remove_dir_all(root).expect("clean");
    }
}
