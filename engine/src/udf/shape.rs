//! The shape of a module: what the gate learns about it and the meter builds on.

use wasmparser::{FuncType, ValType};

/// What stands in a module, found while validating it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// The function types.
    pub types: Vec<FuncType>,
    /// Type positions of the imported functions.
    pub imports: Vec<u32>,
    /// Type positions of the module's own functions.
    pub functions: Vec<u32>,
    /// What the bodies need, in the same order.
    pub frames: Vec<FrameShape>,
    /// How many globals.
    pub globals: u32,
    /// First sizes of the tables.
    pub tables: Vec<u64>,
    /// First and largest number of pages of each memory.
    pub memories: Vec<(u64, Option<u64>)>,
    /// Exported functions by name.
    pub exported: Vec<(String, u32)>,
    /// Other exports by name.
    pub other_exports: Vec<(String, wasmparser::ExternalKind)>,
    /// Whether there is a start function.
    pub start: bool,
}

/// What one call of a function takes on the runtime's stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameShape {
    /// Locals, without parameters.
    pub locals: u32,
    /// The most operands at once.
    pub height: u32,
    /// Whether it calls functions.
    pub calls: bool,
}

impl Shape {
    /// The type of a function by its position among all, imports first.
    pub fn type_of(&self, function: u32) -> Option<&FuncType> {
        let index = function as usize;
        let of = self.imports.iter().chain(&self.functions).nth(index)?;
        self.types.get(*of as usize)
    }

    /// The type of an exported function.
    pub fn export(&self, name: &str) -> Option<&FuncType> {
        let (_, function) = self.exported.iter().find(|(n, _)| n == name)?;
        self.type_of(*function)
    }
}

/// Whether a function takes `params` `i32`s and gives `results` of them.
pub(super) fn is_i32s(of: &FuncType, params: usize, results: usize) -> bool {
    of.params().len() == params
        && of.results().len() == results
        && of.params().iter().chain(of.results()).all(|t| *t == ValType::I32)
}
