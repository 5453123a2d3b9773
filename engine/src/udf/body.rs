//! Function bodies at the gate: validated, kept small, their stack frames measured.

use wasmparser::{FuncValidator, FunctionBody, Operator, WasmModuleResources};

use super::gate::invalid;
use super::shape::FrameShape;
use crate::error::{Diagnostic, Error, Result};

/// The longest body, in bytes.
const MAX_BODY: usize = 64 << 10;
/// The most locals, parameters not counted.
const MAX_LOCALS: u32 = 1_000;
/// The most parameters.
const MAX_PARAMS: u32 = 32;
/// The most targets of one `br_table`.
const MAX_TARGETS: u32 = 4_096;
/// The deepest nest of blocks.
const MAX_NESTING: u32 = 256;

/// Validates a body and measures its frame.
pub(super) fn check<R: WasmModuleResources>(
    validator: &mut FuncValidator<R>,
    body: &FunctionBody<'_>,
    params: u32,
) -> Result<FrameShape> {
    let function = validator.index();
    let excess = |what: &str, is: usize, most: usize| -> Error {
        Diagnostic::new(
            "guest.too-large",
            format!("function {function} has {is} {what}, at most {most} are allowed"),
        )
        .hint("compilers split or shrink functions at other optimisation levels")
    };
    if body.as_bytes().len() > MAX_BODY {
        return Err(excess("bytes of code", body.as_bytes().len(), MAX_BODY));
    }
    if params > MAX_PARAMS {
        return Err(excess("parameters", params as usize, MAX_PARAMS as usize));
    }
    let mut locals = 0u32;
    let mut reader = body.get_locals_reader().map_err(|e| invalid(&e))?;
    for _ in 0..reader.get_count() {
        let at = reader.original_position();
        let (n, of) = reader.read().map_err(|e| invalid(&e))?;
        locals = locals.saturating_add(n);
        if locals > MAX_LOCALS {
            return Err(excess("locals", locals as usize, MAX_LOCALS as usize));
        }
        validator.define_locals(at, n, of).map_err(|e| invalid(&e))?;
    }
    let mut shape = FrameShape { locals, height: 0, calls: false };
    let mut reader = body.get_operators_reader().map_err(|e| invalid(&e))?;
    while !reader.eof() {
        let at = reader.original_position();
        let operator = reader.read().map_err(|e| invalid(&e))?;
        match &operator {
            Operator::Call { .. } | Operator::CallIndirect { .. } => shape.calls = true,
            Operator::BrTable { targets } if targets.len() > MAX_TARGETS => {
                let is = targets.len() as usize;
                return Err(excess("targets in a br_table", is, MAX_TARGETS as usize));
            }
            _ => {}
        }
        validator.op(at, &operator).map_err(|e| invalid(&e))?;
        shape.height = shape.height.max(validator.operand_stack_height());
        if validator.control_stack_height() > MAX_NESTING {
            let is = validator.control_stack_height() as usize;
            return Err(excess("nested blocks", is, MAX_NESTING as usize));
        }
    }
    reader.finish().map_err(|e| invalid(&e))?;
    Ok(shape)
}
