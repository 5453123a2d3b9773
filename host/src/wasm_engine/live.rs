//! Jobs in `engine.wasm` that this program feeds: columns in, columns out, each copied once.

use arrow_array::{Array as _, ArrayRef};
use arrow_buffer::Buffer;
use highwater_engine::error::Error;
use highwater_engine::frame::{self, Frame, Layout};
use highwater_engine::runner::Report;
use highwater_engine::schema::DataType;
use highwater_engine::session::Options;

use super::{Handle, Outcome, WasmEngine, diagnostics, refused, wire};

/// A fed job and what it says of its tables.
#[derive(Clone, Debug)]
pub struct Started {
    /// The job.
    pub job: Handle,
    /// The names of the tables to hand rows to, by their numbers.
    pub inputs: Vec<String>,
    /// The names of the tables rows come out of, by their numbers.
    pub outputs: Vec<String>,
}

impl WasmEngine {
    /// Opens a script whose `push` tables this program will feed.
    ///
    /// # Errors
    /// What is wrong with the script, its files or its guests.
    pub fn start_fed(&mut self, name: &str, text: &str, options: &Options) -> Outcome<Started> {
        let options = wire::options(options);
        let texts = [name.as_bytes(), text.as_bytes(), options.as_bytes()];
        let handle = self.with_buffers(&texts, |engine, b| {
            let args = (b[0].0, b[0].1, b[1].0, b[1].1, b[2].0, b[2].1);
            engine.call::<_, i32>("hw_start", args)
        })?;
        let json = self.json()?;
        if handle <= 0 {
            return Err(diagnostics(&json));
        }
        let names = |list: &str| {
            let list = json[list].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|p| Some(p["table"].as_str()?.to_owned())).collect()
        };
        Ok(Started { job: Handle(handle), inputs: names("inputs"), outputs: names("outputs") })
    }

    /// Hands rows to a table and runs as far as they go. True when the job has finished.
    ///
    /// # Errors
    /// Rows that do not fit the table, or why the job stopped.
    ///
    /// # Panics
    /// When the columns are not of the types, or not of one length.
    pub fn push(
        &mut self,
        job: Handle,
        input: u32,
        types: &[DataType],
        columns: &[ArrayRef],
    ) -> Outcome<bool> {
        let status = self.push_frame(job, input, types, columns).map_err(|e| vec![*e])?;
        self.answer(status)
    }

    fn push_frame(
        &mut self,
        job: Handle,
        input: u32,
        types: &[DataType],
        columns: &[ArrayRef],
    ) -> Result<i32, Error> {
        let rows = columns.first().map_or(0, |c| c.len());
        let layout = Layout::new(rows, types, columns, None)?;
        // A layout is below 4 GiB.
        let len = layout.len() as u32;
        let ptr = self.call::<_, u32>("hw_alloc", len)?;
        let memory = self.memory.data_mut(&mut self.store);
        let end = ptr as usize + layout.len();
        let room = memory.get_mut(ptr as usize..end);
        let room = room.ok_or_else(|| refused(&wasmtime::Error::msg("its room lies outside")))?;
        layout.write(types, columns, None, room);
        // The room is the module's own again.
        self.call("hw_push", (job.0, input, ptr, len))
    }

    /// Says that a table has ended, and runs as far as the input goes. True when the job has finished.
    ///
    /// # Errors
    /// Why the job stopped.
    pub fn end(&mut self, job: Handle, input: u32) -> Outcome<bool> {
        let status = self.checked::<_, i32>("hw_end", (job.0, input))?;
        self.answer(status)
    }

    /// The next rows of an output; `None` when there are none now.
    ///
    /// # Errors
    /// When the module traps or hands out no frame.
    pub fn take(&mut self, job: Handle, output: u32) -> Outcome<Option<Frame>> {
        match self.checked::<_, i32>("hw_take", (job.0, output))? {
            0 => Ok(None),
            1.. => {
                let bytes = Buffer::from_vec(self.bytes()?);
                frame::decode(&bytes).map(Some).map_err(|e| vec![*e])
            }
            _ => Err(diagnostics(&self.json()?)),
        }
    }

    /// What a fed job has done so far.
    ///
    /// # Errors
    /// When the module traps.
    pub fn report(&mut self, job: Handle) -> Outcome<Report> {
        let status = self.checked::<_, i32>("hw_report", job.0)?;
        let json = self.json()?;
        if status == 1 { Ok(wire::report(&json)) } else { Err(diagnostics(&json)) }
    }

    /// What a call answers: 1 for more to come, 0 for finished, else diagnostics.
    fn answer(&mut self, status: i32) -> Outcome<bool> {
        match status {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(diagnostics(&self.json()?)),
        }
    }
}
