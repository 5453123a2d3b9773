//! Arrow IPC: a stream, or a file, which is a stream between two marks with an index behind it.
//!
//! Both are read forward, so that a length that lies costs no memory and dictionaries come before their use.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use arrow_ipc::reader::StreamReader;

use super::Opened;

/// What an IPC file begins and ends with; at its beginning zeros follow, so that what comes then is aligned.
const MARK: &[u8] = b"ARROW1";
/// To what a writer aligns at least, and at most.
const WORD: u64 = 8;
const MOST: u64 = 4_096;

const CUT_OFF: &str = "it begins as a file and has no end mark: it is cut off";

/// The file at the first byte of its stream.
fn stream(path: &Path) -> Result<BufReader<File>, String> {
    let mut file = File::open(path).map_err(text)?;
    let length = file.metadata().map_err(text)?.len();
    let mut mark = [0; MARK.len()];
    let begins = file.read_exact(&mut mark).is_ok() && mark == MARK;
    let mut from = 0;
    if begins {
        if length < WORD + MARK.len() as u64 {
            return Err(CUT_OFF.into());
        }
        file.seek(SeekFrom::Start(length - MARK.len() as u64)).map_err(text)?;
        file.read_exact(&mut mark).map_err(text)?;
        if mark != MARK {
            return Err(CUT_OFF.into());
        }
        from = WORD;
        let mut word = [0; WORD as usize];
        while from < MOST {
            file.seek(SeekFrom::Start(from)).map_err(text)?;
            if file.read_exact(&mut word).is_err() || word != [0; WORD as usize] {
                break;
            }
            from += WORD;
        }
    }
    file.seek(SeekFrom::Start(from)).map_err(text)?;
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
