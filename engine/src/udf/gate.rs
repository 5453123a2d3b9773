//! The admission gate: what a module must be, and must not ask for, to become a guest.

use std::collections::BTreeSet;

use highwater_abi::export;
use wasmparser::{
    DataKind, ElementKind, ExternalKind, Operator, Parser, Payload, TypeRef, ValidPayload,
    Validator, WasmFeatures,
};

use super::Limits;
use super::body;
use super::manifest::{GuestKind, Manifest};
use super::shape::{Shape, is_i32s};
use crate::error::{Diagnostic, Error, Result};

/// The longest module, in bytes.
const MAX_MODULE: usize = 1 << 20;
/// The most functions.
const MAX_FUNCTIONS: usize = 10_000;
/// The largest table, in entries.
const MAX_TABLE: u64 = 10_000;
/// The most data and element segments, each.
const MAX_SEGMENTS: u32 = 1_000;
/// The most globals, exports, types, each.
const MAX_ITEMS: u32 = 10_000;

/// WebAssembly as guests may use it: what compilers emit by default and every host runs alike.
const FEATURES: WasmFeatures = WasmFeatures::LIME1.union(WasmFeatures::FLOATS);

/// What may be imported: module, name, number of `i32` parameters. None gives a result.
const IMPORTS: [(&str, &str, usize); 3] =
    [("hw", "log", 3), ("hw", "abort", 2), ("env", "abort", 4)];

/// A module that passed.
pub(super) struct Admitted {
    pub manifest: Manifest,
    /// The names of its exported functions.
    pub exports: BTreeSet<String>,
    pub shape: Shape,
}

/// Lets a module in, or says why not.
pub(super) fn admit(module: &[u8], limits: &Limits) -> Result<Admitted> {
    if module.len() > MAX_MODULE {
        return Err(too_large("the module", module.len() as u64, MAX_MODULE as u64));
    }
    is_wasm(module)?;
    let shape = read(module).map_err(|error| told_apart(module, error))?;
    check_imports(module, &shape)?;
    check_memory(&shape, limits)?;
    if shape.start {
        return Err(Diagnostic::new("guest.start", "the module has a start function").hint(
            "guests do nothing on their own; prepare in `hw_configure` or at the first call",
        ));
    }
    check_segments(module, &shape)?;
    let manifest = Manifest::of_module(module)?;
    check_exports(&shape, &manifest)?;
    let mut exports = BTreeSet::new();
    exports.extend(shape.exported.iter().map(|(name, _)| name.clone()));
    Ok(Admitted { manifest, exports, shape })
}

fn is_wasm(module: &[u8]) -> Result<()> {
    if Parser::is_core_wasm(module) {
        return Ok(());
    }
    let hint = match module {
        [] => "the file is empty",
        _ if Parser::is_component(module) => {
            "it is a component; guests are core modules: build for wasm32-unknown-unknown"
        }
        [0x1f, 0x8b, ..] | [b'P', b'K', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "it is compressed; unpack it first"
        }
        [b'(', ..] => "it is WebAssembly's text form; assemble it first",
        _ => "a module begins with the bytes 00 61 73 6d 01 00 00 00",
    };
    Err(Diagnostic::new("guest.not-wasm", "this is not a WebAssembly module").hint(hint))
}

/// The diagnostic of the WebAssembly validator.
pub(super) fn invalid(error: &wasmparser::Error) -> Error {
    let message = format!("{} (at byte {})", error.message(), error.offset());
    if error.missing_wasm_feature().is_some() || error.message().contains("SIMD") {
        return missing_feature(message);
    }
    Diagnostic::new("guest.invalid", message)
}

fn missing_feature(message: String) -> Error {
    Diagnostic::new("guest.feature", message).hint(
        "guests run without SIMD, threads, exceptions, tail calls, garbage collection, 64-bit or \
         several memories",
    )
}

/// What is valid WebAssembly elsewhere is not called invalid.
fn told_apart(module: &[u8], error: Error) -> Error {
    if error.code == "guest.invalid" && validate(module).is_ok() {
        return missing_feature(error.message);
    }
    error
}

fn too_large(what: &str, is: u64, most: u64) -> Error {
    Diagnostic::new("guest.too-large", format!("{what} is {is} large, at most {most} is allowed"))
}

fn count(what: &str, is: u32, most: u32) -> Result<()> {
    if is > most {
        return Err(Diagnostic::new(
            "guest.too-large",
            format!("the module has {is} {what}, at most {most} are allowed"),
        ));
    }
    Ok(())
}

/// Validates the whole module and notes its shape.
fn read(module: &[u8]) -> Result<Shape> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut shape = Shape::default();
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|e| invalid(&e))?;
        limit(&payload)?;
        let valid = validator.payload(&payload).map_err(|e| invalid(&e))?;
        if let ValidPayload::Func(function, code) = valid {
            let params = shape.types[function.ty as usize].params().len() as u32;
            let mut validator = function.into_validator(std::mem::take(&mut allocations));
            shape.frames.push(body::check(&mut validator, &code, params)?);
            allocations = validator.into_allocations();
        }
        note(&mut shape, payload).map_err(|e| invalid(&e))?;
    }
    Ok(shape)
}

/// Validates a module as WebAssembly, with all that is valid by default elsewhere. The validator's own
/// `validate_all` does the same, but with a decoder of its own beside the one that [`read`] needs.
pub(super) fn validate(module: &[u8]) -> wasmparser::Result<()> {
    let mut validator = Validator::new();
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(module) {
        if let ValidPayload::Func(function, code) = validator.payload(&payload?)? {
            let mut function = function.into_validator(std::mem::take(&mut allocations));
            let mut locals = code.get_locals_reader()?;
            for _ in 0..locals.get_count() {
                let at = locals.original_position();
                let (n, of) = locals.read()?;
                function.define_locals(at, n, of)?;
            }
            let mut operators = code.get_operators_reader()?;
            while !operators.eof() {
                let at = operators.original_position();
                function.op(at, &operators.read()?)?;
            }
            operators.finish()?;
            allocations = function.into_allocations();
        }
    }
    Ok(())
}

/// Refuses excess before the validator spends time on it.
fn limit(payload: &Payload<'_>) -> Result<()> {
    match payload {
        Payload::TypeSection(s) => count("types", s.count(), MAX_ITEMS),
        Payload::ImportSection(s) => count("imports", s.count(), 16),
        Payload::FunctionSection(s) => count("functions", s.count(), MAX_FUNCTIONS as u32),
        Payload::GlobalSection(s) => count("globals", s.count(), MAX_ITEMS),
        Payload::ExportSection(s) => count("exports", s.count(), MAX_ITEMS),
        Payload::ElementSection(s) => count("element segments", s.count(), MAX_SEGMENTS),
        Payload::DataSection(s) => count("data segments", s.count(), MAX_SEGMENTS),
        _ => Ok(()),
    }
}

fn note(shape: &mut Shape, payload: Payload<'_>) -> wasmparser::Result<()> {
    match payload {
        Payload::TypeSection(section) => {
            shape.types = section.into_iter_err_on_gc_types().collect::<wasmparser::Result<_>>()?;
        }
        Payload::ImportSection(section) => {
            for import in section.into_imports() {
                if let TypeRef::Func(of) = import?.ty {
                    shape.imports.push(of);
                }
            }
        }
        Payload::FunctionSection(section) => {
            shape.functions = section.into_iter().collect::<wasmparser::Result<_>>()?;
        }
        Payload::TableSection(section) => {
            for table in section {
                shape.tables.push(table?.ty.initial);
            }
        }
        Payload::MemorySection(section) => {
            for memory in section {
                let memory = memory?;
                shape.memories.push((memory.initial, memory.maximum));
            }
        }
        Payload::GlobalSection(section) => shape.globals = section.count(),
        Payload::ExportSection(section) => {
            for export in section {
                let export = export?;
                match export.kind {
                    ExternalKind::Func => shape.exported.push((export.name.into(), export.index)),
                    kind => shape.other_exports.push((export.name.into(), kind)),
                }
            }
        }
        Payload::StartSection { .. } => shape.start = true,
        _ => {}
    }
    Ok(())
}

fn check_imports(module: &[u8], shape: &Shape) -> Result<()> {
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ImportSection(section) = payload.map_err(|e| invalid(&e))? else { continue };
        for import in section.into_imports() {
            let import = import.map_err(|e| invalid(&e))?;
            let known = IMPORTS.iter().find(|i| (i.0, i.1) == (import.module, import.name));
            let of = match import.ty {
                TypeRef::Func(of) => shape.types.get(of as usize),
                _ => None,
            };
            let name = format!("`{}.{}`", printable(import.module), printable(import.name));
            match (known, of) {
                (Some(known), Some(of)) if is_i32s(of, known.2, 0) => {}
                (Some(known), _) => {
                    return Err(Diagnostic::new(
                        "guest.import",
                        format!("the import {name} is not a function of {} i32s", known.2),
                    ));
                }
                (None, _) => {
                    return Err(Diagnostic::new(
                        "guest.import",
                        format!("the module imports {name}, which guests do not get"),
                    )
                    .hint(import_hint(import.module)));
                }
            }
        }
    }
    Ok(())
}

fn import_hint(module: &str) -> &'static str {
    if module.starts_with("wasi") {
        "guests have no files, clock or random numbers: build for wasm32-unknown-unknown, not for WASI"
    } else if module.starts_with("__wbindgen") || module == "wbg" {
        "a dependency uses wasm-bindgen, which needs a page around it; guests have none"
    } else {
        "allowed are hw.log, hw.abort and AssemblyScript's env.abort"
    }
}

fn printable(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

fn check_memory(shape: &Shape, limits: &Limits) -> Result<()> {
    let [(initial, maximum)] = shape.memories[..] else {
        return Err(Diagnostic::new(
            "guest.memory",
            format!("the module has {} memories, not one", shape.memories.len()),
        ));
    };
    let most = u64::from(limits.memory_pages);
    let Some(maximum) = maximum else {
        return Err(Diagnostic::new("guest.memory", "the module's memory has no declared maximum")
            .hint("with Rust: link with `--max-memory=1048576`, a multiple of 65536"));
    };
    if maximum > most || initial > most {
        return Err(Diagnostic::new(
            "guest.memory",
            format!("the module's memory may grow to {maximum} pages, at most {most} are allowed"),
        )
        .hint("a page is 64 KiB"));
    }
    let exported = shape
        .other_exports
        .iter()
        .any(|(name, kind)| name == export::MEMORY && *kind == ExternalKind::Memory);
    if !exported {
        return Err(Diagnostic::new("guest.memory", "the module does not export its `memory`"));
    }
    match shape.tables[..] {
        [] => Ok(()),
        [entries] if entries <= MAX_TABLE => Ok(()),
        [entries] => Err(too_large("the table", entries, MAX_TABLE)),
        _ => Err(Diagnostic::new("guest.too-large", "the module has several tables")),
    }
}

/// Segments must lie inside memory and table at once: instantiating a guest never fails.
fn check_segments(module: &[u8], shape: &Shape) -> Result<()> {
    let memory = shape.memories[0].0 << 16;
    let table = shape.tables.first().copied().unwrap_or(0);
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(|e| invalid(&e))? {
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment.map_err(|e| invalid(&e))?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else { continue };
                    inside("a data segment", &offset_expr, segment.data.len() as u64, memory)?;
                }
            }
            Payload::ElementSection(section) => {
                for segment in section {
                    let segment = segment.map_err(|e| invalid(&e))?;
                    let ElementKind::Active { offset_expr, .. } = segment.kind else { continue };
                    let items = match segment.items {
                        wasmparser::ElementItems::Functions(items) => items.count(),
                        wasmparser::ElementItems::Expressions(_, items) => items.count(),
                    };
                    inside("an element segment", &offset_expr, u64::from(items), table)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn inside(what: &str, at: &wasmparser::ConstExpr<'_>, len: u64, room: u64) -> Result<()> {
    let mut operators = at.get_operators_reader();
    let first = operators.read().map_err(|e| invalid(&e))?;
    let last = operators.read().map_err(|e| invalid(&e))?;
    match (first, last) {
        (Operator::I32Const { value }, Operator::End) => {
            if u64::from(value as u32) + len > room {
                return Err(Diagnostic::new(
                    "guest.segment",
                    format!("{what} of {len} at {} is out of bounds of {room}", value as u32),
                ));
            }
            Ok(())
        }
        _ => Err(Diagnostic::new(
            "guest.segment",
            format!("{what} does not begin at a constant address"),
        )),
    }
}

fn check_exports(shape: &Shape, manifest: &Manifest) -> Result<()> {
    let names = shape.exported.iter().map(|e| &e.0).chain(shape.other_exports.iter().map(|e| &e.0));
    if let Some(name) = names.into_iter().find(|name| name.starts_with(export::RESERVED)) {
        return Err(Diagnostic::new(
            "guest.export",
            format!("the export `{}` uses a name kept for the engine", printable(name)),
        ));
    }
    let other = |name: &str| shape.other_exports.iter().any(|(n, _)| n == name);
    if shape.export(export::MARKER).is_none() && !other(export::MARKER) {
        return Err(Diagnostic::new(
            "guest.abi",
            format!("the module does not export the marker `{}`", export::MARKER),
        )
        .hint("it says which version of the operator ABI a guest speaks; this engine speaks 1"));
    }
    wants(shape, export::ARENA, 1, true)?;
    wants(shape, export::CONFIGURE, 2, !manifest.parameters.is_empty())?;
    let (required, optional): (&[&str], &[&str]) = match manifest.kind {
        GuestKind::Window => (
            &[export::WIN_ASSIGN, export::WIN_ACCUMULATE, export::WIN_RESULT],
            &[export::WIN_MERGE_WINDOWS, export::WIN_MERGE, export::WIN_INIT],
        ),
        GuestKind::Join => (&[export::JOIN_MATCH], &[]),
        GuestKind::Function => (&[export::FN_CALL], &[]),
    };
    for name in required {
        wants(shape, name, 1, true)?;
    }
    for name in optional {
        wants(shape, name, 1, false)?;
    }
    Ok(())
}

fn wants(shape: &Shape, name: &str, params: usize, required: bool) -> Result<()> {
    match shape.export(name) {
        Some(of) if is_i32s(of, params, 1) => Ok(()),
        Some(_) => Err(Diagnostic::new(
            "guest.export",
            format!("the export `{name}` does not take {params} i32 and give one"),
        )),
        None if required => Err(Diagnostic::new(
            "guest.export",
            format!("the module does not export the function `{name}`"),
        )),
        None => Ok(()),
    }
}
