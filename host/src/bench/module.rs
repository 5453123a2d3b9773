//! `engine.wasm` over the same columns: rows copied in and out of its memory, all inside the measured time.

use std::path::Path;
use std::sync::Arc;

use highwater_engine::error::{Diagnostic, Error, Result};
use highwater_engine::schema::DataType;
use highwater_engine::session::Options;

use super::ground::{Columns, Totals, Workload};
use crate::sandbox::WasmtimeSandbox;
use crate::wasm_engine::{WasmEngine, locate};

/// The module, compiled once.
pub struct Module {
    engine: WasmEngine,
}

/// The first of several errors.
fn first(mut errors: Vec<Diagnostic>) -> Error {
    match errors.is_empty() {
        true => Diagnostic::new("host.refused-engine", "engine.wasm refuses without saying why"),
        false => Box::new(errors.swap_remove(0)),
    }
}

/// The engine's type of an input column.
fn column_type(array: &arrow_array::ArrayRef) -> DataType {
    use arrow_array::Array as _;
    let types = [DataType::Int, DataType::BigInt, DataType::String, DataType::Timestamp];
    let found = types.into_iter().find(|t| t.to_arrow() == *array.data_type());
    found.expect("the workloads have columns of these types")
}

impl Module {
    /// Finds and compiles the module.
    ///
    /// # Errors
    /// When there is none, or it is no engine.
    pub fn load(path: Option<&Path>) -> Result<Module> {
        let path = locate(path)?;
        let bytes = std::fs::read(&path).map_err(|e| {
            Diagnostic::new("host.no-engine-wasm", format!("cannot read `{}`: {e}", path.display()))
        })?;
        let engine =
            WasmEngine::load(&bytes, Arc::new(WasmtimeSandbox::default())).map_err(first)?;
        Ok(Module { engine })
    }

    /// Runs a workload, `batch_rows` records at a time.
    ///
    /// # Errors
    /// When the engine refuses the job or stops.
    pub fn run(
        &mut self,
        workload: Workload,
        columns: &Columns,
        batch_rows: usize,
    ) -> Result<Totals> {
        self.run_all(workload, columns, batch_rows).map_err(first)
    }

    fn run_all(
        &mut self,
        workload: Workload,
        columns: &Columns,
        batch_rows: usize,
    ) -> std::result::Result<Totals, Vec<Diagnostic>> {
        if let Some(path) = workload.guest() {
            let bytes = super::guests::module(path).map_err(|e| vec![*e])?;
            self.engine.file(path, &bytes)?;
        }
        let options = Options { batch_rows: u32::try_from(batch_rows).ok(), ..Options::default() };
        let job = self.engine.start_fed("bench.sql", &workload.sql("push"), &options)?.job;
        let types: Vec<DataType> = columns.arrays.iter().map(column_type).collect();
        let mut totals = Totals::default();
        let mut from = 0;
        while from < columns.rows() {
            let rows = batch_rows.min(columns.rows() - from);
            let piece: Vec<_> = columns.arrays.iter().map(|a| a.slice(from, rows)).collect();
            self.engine.push(job, 0, &types, &piece)?;
            self.drain(job, workload, &mut totals)?;
            from += rows;
        }
        self.engine.end(job, 0)?;
        self.drain(job, workload, &mut totals)?;
        totals.late = self.engine.report(job)?.late;
        self.engine.close(job)?;
        Ok(totals)
    }

    fn drain(
        &mut self,
        job: crate::wasm_engine::Handle,
        workload: Workload,
        totals: &mut Totals,
    ) -> std::result::Result<(), Vec<Diagnostic>> {
        while let Some(frame) = self.engine.take(job, 0)? {
            workload.add(&frame.columns, frame.kinds.as_deref(), totals);
        }
        Ok(())
    }
}
