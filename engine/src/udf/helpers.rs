//! The functions the meter adds to a module.

use wasm_encoder::{BlockType, Function, Instruction as I, ValType};

use super::Limits;
use super::code::{Indices, Types};
use super::meter::{Reason, helper};
use super::shape::Shape;

/// One added function.
pub(super) struct Helper {
    /// Its type.
    pub of: u32,
    /// Its name, when it is exported.
    pub export: Option<&'static str>,
    /// Its code.
    pub body: Vec<u8>,
}

/// Fuel for one page of new memory.
const PAGE_COST: i64 = 1024;

/// All helpers, in the order of [`Indices`].
pub(super) fn all(at: &Indices, types: &mut Types, shape: &Shape, limits: &Limits) -> Vec<Helper> {
    let i32x = |n: usize| vec![ValType::I32; n];
    let nothing = types.of(&[], &[]);
    let one = types.of(&i32x(1), &i32x(1));
    let begin = types.of(&i32x(2), &i32x(1));
    let bulk = types.of(&i32x(3), &[]);
    let get = types.of(&[], &i32x(1));
    let cap = shape.memories.first().and_then(|m| m.1).unwrap_or(0);
    let helper = |of, export, locals: &[(u32, ValType)], code: &[I<'static>]| {
        let mut function = Function::new(locals.iter().copied());
        for instruction in code {
            function.instruction(instruction);
        }
        function.instruction(&I::End);
        Helper { of, export, body: function.into_raw_body() }
    };
    let trap =
        |reason: Reason| [I::I32Const(reason as i32), I::GlobalSet(at.reason), I::Unreachable];
    let depth = i32::try_from(limits.call_depth).unwrap_or(i32::MAX);
    vec![
        helper(nothing, None, &[], &trap(Reason::Fuel)),
        helper(nothing, None, &[], &trap(Reason::Depth)),
        helper(one, None, &[(1, ValType::I32)], &grow(at, cap)),
        helper(bulk, None, &[], &bulk_code(at, I::MemoryCopy { src_mem: 0, dst_mem: 0 })),
        helper(bulk, None, &[], &bulk_code(at, I::MemoryFill(0))),
        helper(
            begin,
            Some(helper::BEGIN),
            &[],
            &[
                I::LocalGet(0),
                I::I64ExtendI32U,
                I::LocalGet(1),
                I::I64ExtendI32U,
                I::I64Const(32),
                I::I64Shl,
                I::I64Or,
                I::GlobalSet(at.fuel),
                I::I32Const(depth),
                I::GlobalSet(at.depth),
                I::I32Const(0),
                I::GlobalSet(at.reason),
                I::I32Const(0),
                I::GlobalSet(at.refused),
                I::I32Const(0),
            ],
        ),
        helper(get, Some(helper::FUEL_LO), &[], &[I::GlobalGet(at.fuel), I::I32WrapI64]),
        helper(
            get,
            Some(helper::FUEL_HI),
            &[],
            &[I::GlobalGet(at.fuel), I::I64Const(32), I::I64ShrU, I::I32WrapI64],
        ),
        helper(get, Some(helper::REASON), &[], &[I::GlobalGet(at.reason)]),
        helper(get, Some(helper::GROW_REFUSED), &[], &[I::GlobalGet(at.refused)]),
        helper(get, Some(helper::PAGES), &[], &[I::MemorySize(0)]),
    ]
}

/// `memory.grow`: refuses past the declared maximum and remembers it; a refusal below is the host's
/// fault and must not become a result.
fn grow(at: &Indices, cap: u64) -> Vec<I<'static>> {
    vec![
        I::MemorySize(0),
        I::I64ExtendI32U,
        I::LocalGet(0),
        I::I64ExtendI32U,
        I::I64Add,
        I::I64Const(cap as i64),
        I::I64GtU,
        I::If(BlockType::Empty),
        I::I32Const(1),
        I::GlobalSet(at.refused),
        I::I32Const(-1),
        I::Return,
        I::End,
        I::GlobalGet(at.fuel),
        I::LocalGet(0),
        I::I64ExtendI32U,
        I::I64Const(PAGE_COST),
        I::I64Mul,
        I::I64Sub,
        I::GlobalSet(at.fuel),
        I::GlobalGet(at.fuel),
        I::I64Const(0),
        I::I64LtS,
        I::If(BlockType::Empty),
        I::Call(at.out_of_fuel),
        I::End,
        I::LocalGet(0),
        I::MemoryGrow(0),
        I::LocalTee(1),
        I::I32Const(-1),
        I::I32Eq,
        I::If(BlockType::Empty),
        I::I32Const(Reason::Host as i32),
        I::GlobalSet(at.reason),
        I::Unreachable,
        I::End,
        I::LocalGet(1),
    ]
}

/// `memory.copy` and `memory.fill`: one fuel for eight bytes begun, paid before.
fn bulk_code(at: &Indices, operation: I<'static>) -> Vec<I<'static>> {
    vec![
        I::GlobalGet(at.fuel),
        I::LocalGet(2),
        I::I64ExtendI32U,
        I::I64Const(7),
        I::I64Add,
        I::I64Const(3),
        I::I64ShrU,
        I::I64Sub,
        I::GlobalSet(at.fuel),
        I::GlobalGet(at.fuel),
        I::I64Const(0),
        I::I64LtS,
        I::If(BlockType::Empty),
        I::Call(at.out_of_fuel),
        I::End,
        I::LocalGet(0),
        I::LocalGet(1),
        I::LocalGet(2),
        operation,
    ]
}
