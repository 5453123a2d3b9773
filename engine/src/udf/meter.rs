//! The meter: rewrites a module so that it counts and limits itself, the same on every host.
//!
//! Browsers have no fuel, runtimes count differently from version to version, stacks end at different
//! depths, and the bits of a NaN depend on the processor. So fuel, call depth, the refusal of memory and
//! the one NaN are put into the code before any runtime sees it. Functions, globals and types are only
//! appended: no index changes, so most code is copied as it is.
//!
//! While a function runs, its fuel stands in a local, and in the global wherever anybody could look:
//! around calls, at its end, before it gives up. Only what a function used since its last call when it
//! traps by itself (a division by zero, an access out of memory) is not told.

use wasm_encoder::{Encode as _, Module, RawSection, SectionId};
use wasmparser::{Parser, Payload};

use super::Limits;
use super::code::{self, Indices};
use super::gate::{self, invalid};
use super::helpers;
use super::shape::Shape;
use crate::error::{Diagnostic, Result};

/// The version of the counting rules: fuel counts may differ between versions.
pub const METER_VERSION: u32 = 2;

/// Exports the meter adds.
pub(super) mod helper {
    use highwater_abi::export;

    /// `(fuel_lo, fuel_hi) -> 0`: sets the fuel, forgets everything else.
    pub const BEGIN: &str = "__hw_begin";
    /// Low half of the fuel left; negative when more was used than there was.
    pub const FUEL_LO: &str = "__hw_fuel_lo";
    /// High half of the fuel left.
    pub const FUEL_HI: &str = "__hw_fuel_hi";
    /// Why the meter made the guest trap: a [`super::Reason`].
    pub const REASON: &str = "__hw_reason";
    /// 1 when `memory.grow` was refused since `BEGIN`.
    pub const GROW_REFUSED: &str = "__hw_grow_refused";
    /// The memory's size in pages.
    pub const PAGES: &str = "__hw_pages";
    /// The operators' exports and what the meter adds for each: `(frame, fuel_lo, fuel_hi) -> status`, which
    /// does what `BEGIN` does, calls the operator, and when that returns leaves at the frame's first bytes the
    /// fuel left, 64 bits, and the memory's pages, 32 bits. So a call crosses into the guest once.
    pub const RUN: [(&str, &str); 8] = [
        (export::WIN_ASSIGN, "__hw_win_assign"),
        (export::WIN_MERGE_WINDOWS, "__hw_win_merge_windows"),
        (export::WIN_INIT, "__hw_win_init"),
        (export::WIN_ACCUMULATE, "__hw_win_accumulate"),
        (export::WIN_MERGE, "__hw_win_merge"),
        (export::WIN_RESULT, "__hw_win_result"),
        (export::JOIN_MATCH, "__hw_join_match"),
        (export::FN_CALL, "__hw_fn_call"),
    ];
}

/// Why the meter made a guest trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It did not.
    None = 0,
    /// Out of fuel.
    Fuel = 1,
    /// Calls nested too deep.
    Depth = 2,
    /// The host had no memory to give, though the guest may have it.
    Host = 3,
}

impl Reason {
    /// The reason a guest's meter tells.
    pub fn of(code: i32) -> Reason {
        match code {
            1 => Reason::Fuel,
            2 => Reason::Depth,
            3 => Reason::Host,
            _ => Reason::None,
        }
    }
}

/// Rewrites an admitted module.
pub(super) fn meter(module: &[u8], shape: &Shape, limits: &Limits) -> Result<Vec<u8>> {
    let mut types = code::Types::new(shape.types.len() as u32);
    let functions = (shape.imports.len() + shape.functions.len()) as u32;
    let indices = Indices::new(shape.globals, functions);
    let helpers = helpers::all(&indices, &mut types, shape, limits);

    let mut sections: [Option<Vec<u8>>; 13] = Default::default();
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|e| invalid(&e))?;
        if let Payload::CodeSectionEntry(body) = &payload {
            let body = code::rewrite(body, bodies.len(), shape, &indices, &mut types);
            bodies.push(body.map_err(|e| invalid(&e))?);
        }
        if let Some((id, range)) = payload.as_section()
            && id != 0
            && let Some(place) = sections.get_mut(usize::from(id))
        {
            *place = Some(module[range.start as usize..range.end as usize].to_vec());
        }
    }
    let mut put = |id: SectionId, n: usize, extra: &[u8]| {
        let place = &mut sections[id as usize];
        *place = Some(append(place.as_deref(), n as u32, extra));
    };
    put(SectionId::Type, types.added(), types.bytes());
    put(
        SectionId::Function,
        helpers.len(),
        &helpers.iter().fold(Vec::new(), |mut all, h| {
            h.of.encode(&mut all);
            all
        }),
    );
    put(SectionId::Global, code::GLOBALS, &code::globals());
    let mut exports = Vec::new();
    let exported = helpers.iter().zip(functions..).filter_map(|(h, i)| Some((h.export?, i)));
    let mut added = 0;
    for (name, index) in exported {
        name.encode(&mut exports);
        exports.push(0);
        index.encode(&mut exports);
        added += 1;
    }
    put(SectionId::Export, added, &exports);
    bodies.extend(helpers.into_iter().map(|h| h.body));
    let mut all = Vec::new();
    (bodies.len() as u32).encode(&mut all);
    bodies.iter().for_each(|body| body.as_slice().encode(&mut all));
    sections[SectionId::Code as usize] = Some(all);
    let metered = assemble(&sections);
    gate::validate(&metered).map_err(|e| {
        Diagnostic::new("guest.meter", format!("the metered module is invalid: {}", e.message()))
            .hint("this is a mistake of the engine; please report it with the module")
    })?;
    Ok(metered)
}

/// A section of counted items with more items behind.
fn append(section: Option<&[u8]>, n: u32, extra: &[u8]) -> Vec<u8> {
    let (count, items) = section.map_or((0, &[][..]), |section| {
        let mut reader = wasmparser::BinaryReader::new(section, 0);
        let count = reader.read_var_u32().expect("the gate has read this section");
        (count, &section[reader.current_position()..])
    });
    let mut all = Vec::with_capacity(items.len() + extra.len() + 5);
    (count + n).encode(&mut all);
    all.extend_from_slice(items);
    all.extend_from_slice(extra);
    all
}

fn assemble(sections: &[Option<Vec<u8>>; 13]) -> Vec<u8> {
    let mut module = Module::new();
    // The data count stands before the code, out of the order of the numbers.
    for id in [1u8, 2, 3, 4, 5, 6, 7, 9, 12, 10, 11] {
        if let Some(data) = &sections[usize::from(id)] {
            module.section(&RawSection { id, data });
        }
    }
    module.finish()
}
