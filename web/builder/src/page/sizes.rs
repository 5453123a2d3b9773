//! What a visitor downloads, compressed with brotli, and the ceilings it must stay below.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::workspace;

/// A part of the page with a ceiling.
struct Part {
    name: &'static str,
    files: &'static [&'static str],
    /// In bytes after brotli; 1 KB is 1,000 bytes.
    ceiling: usize,
}

/// Raised only for what a visitor gets for it: 700 KB held one engine with tumbling and session windows; hopping windows,
/// joins in SQL and jobs that are fed by their page took 60 KB more; the engine built for speed instead of size, 260 KB,
/// for 1.3 to 2 times as many records a second; changelogs, five more kinds of join, ranks, and windows that cumulate or that
/// rows carry, 200 KB; OVER, grouping sets, values of queries, triggers with panes, late rows and micro-batches, 90 KB.
const PARTS: [Part; 2] = [
    Part { name: "engine.wasm", files: &["engine.wasm"], ceiling: 1_500_000 },
    Part {
        name: "page (module and script)",
        files: &["highwater_web_bg.wasm", "highwater_web.js"],
        ceiling: 500_000,
    },
];

/// The weights of the site's parts as text, and a line for every ceiling that is broken.
///
/// # Errors
/// When a file of the site is missing.
pub fn weigh(site: &Path) -> Result<(String, Vec<String>)> {
    let (mut report, mut too_heavy) = (String::new(), Vec::new());
    for part in PARTS {
        let (mut raw, mut packed) = (0, 0);
        for file in part.files {
            let path = site.join(file);
            raw += fs::metadata(&path).map_err(Failure::file("read", &path))?.len();
            packed += packed_size(&path)?;
        }
        let line = format!(
            "{}: {} KB, {} KB with brotli (ceiling {} KB)",
            part.name,
            raw.div_ceil(1_000),
            packed.div_ceil(1_000),
            part.ceiling / 1_000
        );
        if packed > part.ceiling {
            too_heavy.push(format!("too heavy: {line}"));
        }
        report.push_str(&line);
        report.push('\n');
    }
    Ok((report, too_heavy))
}

/// A file's size after brotli at its best; remembered until the file changes, for it takes seconds.
fn packed_size(path: &Path) -> Result<usize> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let packed: PathBuf = workspace::output().join("packed").join(format!("{name}.br"));
    let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if time(&packed) <= time(path) {
        eprintln!("highwater: compressing {name} to weigh it");
        let bytes = fs::read(path).map_err(Failure::file("read", path))?;
        let folder = workspace::output().join("packed");
        fs::create_dir_all(&folder).map_err(Failure::file("make", &folder))?;
        fs::write(&packed, compress(&bytes)?).map_err(Failure::file("write", &packed))?;
    }
    let file = fs::metadata(&packed).map_err(Failure::file("read", &packed))?;
    Ok(usize::try_from(file.len()).unwrap_or(usize::MAX))
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let best = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut packed, &best)
        .map_err(|cause| Failure::while_doing("brotli", cause))?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bytes_come_back() {
        let text = "event time, watermark, window. ".repeat(100);
        let packed = compress(text.as_bytes()).expect("compress");
        assert!(packed.len() < text.len() / 10);
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut packed.as_slice(), &mut back).expect("decompress");
        assert_eq!(back, text.as_bytes());
    }
}
