//! What a checkpoint belongs to: the script, the options, the input as far as it was there.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::session::{self, NeedKind, Options};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::files::{self, Script};
use crate::wasm_engine::Outcome;

/// What must be the same for a job to go on.
pub(super) struct Identity {
    script: String,
    seed: Option<u64>,
    parallelism: Option<u32>,
    inputs: Vec<Input>,
}

/// A data file: the path in the script, its length and the hash of its bytes.
struct Input {
    path: String,
    bytes: u64,
    hash: String,
}

impl Identity {
    /// Of a script as it and its files are now.
    pub(super) fn of(script: &Script, options: &Options) -> Outcome<Identity> {
        let mut inputs = Vec::new();
        for need in session::needs(script.short_name(), &script.text)? {
            if need.kind == NeedKind::Data {
                let one = |e: Error| vec![*e];
                for path in data_files(script, &need.path).map_err(one)? {
                    let (bytes, hash) = hash(&script.resolve(&path), u64::MAX).map_err(one)?;
                    inputs.push(Input { path, bytes, hash });
                }
            }
        }
        Ok(Identity {
            script: hex(&Sha256::digest(script.text.as_bytes())),
            seed: options.seed,
            parallelism: options.parallelism,
            inputs,
        })
    }

    /// The form in which a checkpoint holds it.
    pub(super) fn to_json(&self) -> Json {
        let input = |i: &Input| json!({"path": i.path, "bytes": i.bytes, "sha256": i.hash});
        json!({
            "engine": env!("CARGO_PKG_VERSION"),
            "script": self.script,
            "seed": self.seed,
            "parallelism": self.parallelism,
            "inputs": self.inputs.iter().map(input).collect::<Vec<_>>(),
        })
    }

    /// Whether a checkpoint is of the same job. Files may have grown.
    ///
    /// # Errors
    /// What is different.
    pub(super) fn check(&self, saved: &Json, script: &Script) -> Result<()> {
        if saved["script"] != self.script.as_str() {
            return Err(other("the script has changed", "checkpoint.other-script"));
        }
        let options = (json!(self.seed), json!(self.parallelism));
        if (&saved["seed"], &saved["parallelism"]) != (&options.0, &options.1) {
            let what = "`--seed` or `--parallelism` is another";
            return Err(other(what, "checkpoint.other-options"));
        }
        let inputs = saved["inputs"].as_array().map_or(&[][..], Vec::as_slice);
        let paths = |list: &[Json]| -> Vec<String> {
            list.iter().filter_map(|i| i["path"].as_str().map(str::to_owned)).collect()
        };
        let known: Vec<String> = self.inputs.iter().map(|i| i.path.clone()).collect();
        if paths(inputs) != known {
            return Err(other("the job reads other files", "checkpoint.other-input"));
        }
        for (then, now) in inputs.iter().zip(&self.inputs) {
            let bytes = then["bytes"].as_u64().unwrap_or(u64::MAX);
            if now.bytes < bytes {
                let what =
                    format!("the file `{}` had {bytes} bytes and has {} now", now.path, now.bytes);
                return Err(other(&what, "checkpoint.input-shorter"));
            }
            let same = match now.bytes == bytes {
                true => then["sha256"] == now.hash.as_str(),
                false => then["sha256"] == hash(&script.resolve(&now.path), bytes)?.1.as_str(),
            };
            if !same {
                let what = format!("the file `{}` has changed", now.path);
                return Err(other(&what, "checkpoint.input-changed"));
            }
        }
        Ok(())
    }
}

fn other(what: &str, code: &'static str) -> Error {
    Diagnostic::new(code, format!("the checkpoint cannot be continued: {what}"))
        .hint("bring back what it was made with, or begin anew: remove the folder or name another")
}

/// The files of a path in a script: itself, or what is in that folder.
fn data_files(script: &Script, path: &str) -> Result<Vec<String>> {
    let place = script.resolve(path);
    if !place.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let names = files::folder(&place)?;
    Ok(names.into_iter().map(|name| format!("{}/{name}", path.trim_end_matches('/'))).collect())
}

/// The length of a file and the hash of its first so many bytes.
fn hash(path: &Path, upto: u64) -> Result<(u64, String)> {
    let read = || -> std::io::Result<(u64, String)> {
        let mut file = File::open(path)?.take(upto);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((length, hex(&hasher.finalize()))),
                read => {
                    length += read as u64;
                    hasher.update(&buffer[..read]);
                }
            }
        }
    };
    read().map_err(|e| {
        Diagnostic::new("host.cannot-read", format!("cannot read `{}`: {e}", path.display()))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
