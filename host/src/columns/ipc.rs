//! Arrow IPC: a stream, or a file, which is a stream between two marks with an index behind it.
//!
//! Both are read forward, so that a length that lies costs no memory and dictionaries come before their use.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use arrow_ipc::reader::StreamReader;

use super::Opened;

/// What an IPC file begins and ends with; at its beginning two bytes more, so that what follows is aligned.
const MARK: &[u8] = b"ARROW1";
const HEAD: u64 = 8;

/// The file at the first byte of its stream.
fn stream(path: &Path) -> Result<BufReader<File>, String> {
    let mut file = File::open(path).map_err(text)?;
    let length = file.metadata().map_err(text)?.len();
    let mut mark = [0; MARK.len()];
    let begins = length >= HEAD && file.read_exact(&mut mark).is_ok() && mark == MARK;
    if begins {
        let end = -i64::try_from(MARK.len()).unwrap_or(0);
        file.seek(SeekFrom::End(end)).map_err(text)?;
        file.read_exact(&mut mark).map_err(text)?;
        if length < HEAD + MARK.len() as u64 || mark != MARK {
            return Err("it begins as a file and has no end mark: it is cut off".into());
        }
    }
    file.seek(SeekFrom::Start(if begins { HEAD } else { 0 })).map_err(text)?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// The names of the columns.
pub(super) fn names(path: &Path) -> Result<Vec<String>, String> {
    let reader = StreamReader::try_new(stream(path)?, None).map_err(text)?;
    Ok(reader.schema().fields().iter().map(|f| f.name().clone()).collect())
}

/// Opens a file for the columns of these names, where it has them.
pub(super) fn open(path: &Path, names: &[&str]) -> Result<Opened, String> {
    let schema = StreamReader::try_new(stream(path)?, None).map_err(text)?.schema();
    let all = schema.fields().iter().enumerate();
    let wanted: Vec<usize> =
        all.filter(|(_, f)| names.contains(&f.name().as_str())).map(|(i, _)| i).collect();
    let reader = StreamReader::try_new(stream(path)?, Some(wanted)).map_err(text)?;
    let schema = reader.schema();
    Ok(Opened { schema, batches: Box::new(reader.map(|batch| batch.map_err(text))) })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
