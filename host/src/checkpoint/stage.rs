//! Rows on their way to a sink: in files that only grow, cut back by a recovery, published at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use highwater_engine::batch::Batch;
use highwater_engine::error::{Diagnostic, Result};
use highwater_engine::frame;
use highwater_engine::numbers::Numbers;
use highwater_engine::schema::{DataType, SchemaRef};
use highwater_engine::session::Rows;
use serde_json::{Value as Json, json};

use super::cannot;
use crate::files::{Script, sync_folder};
use crate::table::Table;

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 16;

/// What becomes of a sink's rows.
enum Form {
    /// Nobody wants them.
    Nothing,
    /// Text, as it will stand in the file of that path.
    Text(PathBuf),
    /// Frames of columns, until they are printed.
    Frames(SchemaRef),
}

/// One sink's.
struct Stage {
    table: Table,
    form: Form,
    path: PathBuf,
    file: Option<File>,
    /// Bytes that are not in the file yet.
    buffer: Vec<u8>,
    /// Bytes so far, those of `buffer` among them.
    length: u64,
}

/// All sinks'.
pub(super) struct Stages(Vec<Stage>);

impl Stages {
    /// Where the rows of each sink are staged; nothing is done yet.
    pub(super) fn plan(script: &Script, sinks: &[Rows], folder: &Path) -> Result<Stages> {
        let one = |(i, rows): (usize, &Rows)| {
            let table = Table::from_rows(rows);
            let (form, path) = match table.connector.as_str() {
                "blackhole" => (Form::Nothing, PathBuf::new()),
                "filesystem" => {
                    let path = table.option("path").ok_or_else(|| {
                        let message = format!("table `{}` has no option `path`", table.name);
                        Diagnostic::new("sql.missing-option", message)
                    })?;
                    let path = script.resolve(path);
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let staged = path.with_file_name(format!(".{name}.{i}.staged"));
                    (Form::Text(path), staged)
                }
                _ => (Form::Frames(rows.schema.clone()), folder.join(format!("sink-{i}.staged"))),
            };
            Ok(Stage { table, form, path, file: None, buffer: Vec::new(), length: 0 })
        };
        Ok(Stages(sinks.iter().enumerate().map(one).collect::<Result<_>>()?))
    }

    /// Begins with nothing staged.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|stage| stage.open(0))
    }

    /// Goes on after what a checkpoint holds.
    pub(super) fn resume(&mut self, lengths: &Json) -> Result<()> {
        let lengths = lengths.as_array().filter(|l| l.len() == self.0.len());
        let lengths =
            lengths.ok_or_else(|| highwater_engine::operator::wrong_state("the sinks"))?;
        for (stage, length) in self.0.iter_mut().zip(lengths) {
            stage.open(length.as_u64().unwrap_or(0))?;
        }
        Ok(())
    }

    /// Takes rows of a sink.
    pub(super) fn take(&mut self, sink: usize, batch: Batch) -> Result<()> {
        self.0[sink].take(&batch)
    }

    /// Hands what is buffered to the system; how long each file is now.
    pub(super) fn flush(&mut self) -> Result<Json> {
        self.0.iter_mut().try_for_each(Stage::flush)?;
        Ok(json!(self.0.iter().map(|stage| stage.length).collect::<Vec<_>>()))
    }

    /// The files whose bytes must be durable before a checkpoint is.
    pub(super) fn files(&self) -> Result<Vec<(PathBuf, File)>> {
        let open = self.0.iter().filter_map(|s| Some((&s.path, s.file.as_ref()?)));
        open.map(|(path, file)| {
            let file = file.try_clone().map_err(|e| cannot("share", path, &e))?;
            Ok((path.clone(), file))
        })
        .collect()
    }

    /// Puts the staged files in their places: to be called when a checkpoint says that the job has ended,
    /// as often as a crash makes it necessary. The tables to be printed.
    pub(super) fn publish(&mut self) -> Result<Vec<Table>> {
        let mut done: Vec<&Path> = Vec::new();
        for stage in &self.0 {
            let Form::Text(path) = &stage.form else { continue };
            if done.contains(&path.as_path()) {
                continue;
            }
            done.push(path);
            let same = |s: &&Stage| matches!(&s.form, Form::Text(other) if other == path);
            let parts: Vec<&Path> = self.0.iter().filter(same).map(|s| s.path.as_path()).collect();
            publish(path, &parts).map_err(|e| cannot("publish", path, &e))?;
        }
        let mut tables = Vec::new();
        for stage in &mut self.0 {
            let Form::Frames(schema) = &stage.form else { continue };
            let schema = schema.clone();
            let mut table = stage.table.clone();
            read_frames(&stage.path, &schema, &mut table)?;
            tables.push(table);
        }
        Ok(tables)
    }

    /// Removes what was staged for printing. What is left over does no harm.
    pub(super) fn clear(&self) {
        for stage in self.0.iter().filter(|s| matches!(s.form, Form::Frames(_))) {
            let _ = fs::remove_file(&stage.path);
        }
    }
}

impl Stage {
    /// Opens the file and cuts it to a length.
    fn open(&mut self, length: u64) -> Result<()> {
        if matches!(self.form, Form::Nothing) {
            return Ok(());
        }
        let path = &self.path;
        let open = || -> io::Result<(File, u64)> {
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).write(true).create(length == 0).truncate(false).open(path)?;
            let found = file.metadata()?.len();
            if found >= length {
                file.set_len(length)?;
                file.seek(SeekFrom::Start(length))?;
            }
            if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_folder(folder)?;
            }
            Ok((file, found))
        };
        let lost = |what: &str| {
            let message = format!("rows that were staged in `{}` {what}", path.display());
            Diagnostic::new("checkpoint.output-lost", message)
                .hint("begin anew: remove the folder of the checkpoints or name another")
        };
        let (file, found) = open().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound if length > 0 => lost("are gone"),
            _ => cannot("write", path, &e),
        })?;
        if found < length {
            return Err(lost("are gone: the file is too short"));
        }
        (self.file, self.length) = (Some(file), length);
        Ok(())
    }

    fn take(&mut self, batch: &Batch) -> Result<()> {
        let before = self.buffer.len();
        if batch.rows == 0 {
            return Ok(());
        }
        match &self.form {
            Form::Nothing => return Ok(()),
            Form::Text(_) => {
                self.table.extend(batch);
                let text = match self.table.option("format") {
                    Some("csv") => self.table.csv(self.table.option("csv.field-delimiter"))?,
                    _ => self.table.jsonl(),
                };
                self.table.rows.clear();
                self.buffer.extend_from_slice(text.as_bytes());
            }
            Form::Frames(schema) => {
                let types: Vec<DataType> = schema.fields.iter().map(|f| f.data_type).collect();
                let kinds = batch.kinds.as_deref();
                let bytes = frame::encode(batch.rows, &types, &batch.columns, kinds)?;
                self.buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                self.buffer.extend_from_slice(&bytes);
            }
        }
        self.length += (self.buffer.len() - before) as u64;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.buffer).map_err(|e| cannot("write", &self.path, &e))?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Makes a file of its staged parts, in their order. Parts go only after the file is there: when one is
/// missing, it is.
fn publish(path: &Path, parts: &[&Path]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parts.iter().all(|part| part.exists()) {
        match parts {
            [only] => fs::rename(only, path)?,
            _ => {
                let whole = path.with_file_name(format!(
                    ".{}.staged",
                    path.file_name().unwrap_or_default().to_string_lossy()
                ));
                let mut file = File::create(&whole)?;
                for part in parts {
                    io::copy(&mut File::open(part)?, &mut file)?;
                }
                file.sync_all()?;
                fs::rename(&whole, path)?;
            }
        }
        sync_folder(folder)?;
    }
    for part in parts {
        match fs::remove_file(part) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// The rows of a staged file of frames.
fn read_frames(path: &Path, schema: &SchemaRef, table: &mut Table) -> Result<()> {
    let broken = |e: &io::Error| cannot("read", path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) => return Err(broken(&e)),
    };
    let mut file = BufReader::new(file);
    loop {
        let mut length = [0; 8];
        match file.read_exact(&mut length) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(broken(&e)),
            Ok(()) => {}
        }
        let mut bytes = Vec::new();
        let length = u64::from_le_bytes(length);
        let read = (&mut file).take(length).read_to_end(&mut bytes).map_err(|e| broken(&e))?;
        if read as u64 != length {
            return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
        }
        let frame = frame::decode(&bytes.into())?;
        let batch = Batch::new(schema.clone(), frame.columns, Numbers::same(0, frame.rows));
        table.extend(&Batch { kinds: frame.kinds, ..batch });
    }
}
