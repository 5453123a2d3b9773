//! The functions the meter adds to a module.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, MemArgTarget, ValType};

use super::Limits;
use super::code::{Indices, Types};
use super::meter::{Reason, helper};
use super::shape::{Shape, is_i32s};

/// One added function.
pub(super) struct Helper {
    /// Its type.
    pub of: u32,
    /// Its name, when it is exported.
    pub export: Option<&'static str>,
    /// Its code.
    pub body: Vec<u8>,
}

/// Writes the code of a helper.
type Code<'a> = dyn Fn(&mut InstructionSink<'_>) + 'a;

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
    let helper = |of, export, locals: &[(u32, ValType)], code: &Code<'_>| {
        let mut function = Function::new(locals.iter().copied());
        let mut sink = function.instructions();
        code(&mut sink);
        sink.end();
        Helper { of, export, body: function.into_raw_body() }
    };
    let trap = |sink: &mut InstructionSink<'_>, reason: Reason| {
        sink.i32_const(reason as i32).global_set(at.reason).unreachable();
    };
    let depth = i32::try_from(limits.call_depth).unwrap_or(i32::MAX);
    let mut all = vec![
        helper(nothing, None, &[], &|i| trap(i, Reason::Fuel)),
        helper(nothing, None, &[], &|i| trap(i, Reason::Depth)),
        helper(one, None, &[(1, ValType::I32)], &|i| grow(i, at, cap)),
        helper(bulk, None, &[], &|i| {
            bulk_operands(i, at).memory_copy(0, 0);
        }),
        helper(bulk, None, &[], &|i| {
            bulk_operands(i, at).memory_fill(0);
        }),
        helper(begin, Some(helper::BEGIN), &[], &|i| {
            i.local_get(0)
                .i64_extend_i32_u()
                .local_get(1)
                .i64_extend_i32_u()
                .i64_const(32)
                .i64_shl()
                .i64_or()
                .global_set(at.fuel)
                .i32_const(depth)
                .global_set(at.depth)
                .i32_const(0)
                .global_set(at.reason)
                .i32_const(0)
                .global_set(at.refused)
                .i32_const(0);
        }),
        helper(get, Some(helper::FUEL_LO), &[], &|i| {
            i.global_get(at.fuel).i32_wrap_i64();
        }),
        helper(get, Some(helper::FUEL_HI), &[], &|i| {
            i.global_get(at.fuel).i64_const(32).i64_shr_u().i32_wrap_i64();
        }),
        helper(get, Some(helper::REASON), &[], &|i| {
            i.global_get(at.reason);
        }),
        helper(get, Some(helper::GROW_REFUSED), &[], &|i| {
            i.global_get(at.refused);
        }),
        helper(get, Some(helper::PAGES), &[], &|i| {
            i.memory_size(0);
        }),
    ];
    let run = types.of(&i32x(3), &i32x(1));
    for (export, name) in helper::RUN {
        let known = shape.exported.iter().find(|(known, _)| known == export);
        let is_operator = |index: u32| shape.type_of(index).is_some_and(|of| is_i32s(of, 1, 1));
        if let Some((_, index)) = known.filter(|(_, index)| is_operator(*index)) {
            all.push(helper(run, Some(name), &[], &|i| run_operator(i, at, *index)));
        }
    }
    all
}

/// One call of an operator: wound up before, what is left told behind it, in place of the frame's head.
fn run_operator(i: &mut InstructionSink<'_>, at: &Indices, operator: u32) {
    let place =
        |offset, align| MemArg { offset, align, target: MemArgTarget::Memory(0), ordering: None };
    i.local_get(1)
        .local_get(2)
        .call(at.begin)
        .drop()
        .local_get(0)
        .call(operator)
        .local_get(0)
        .global_get(at.fuel)
        .i64_store(place(0, 3))
        .local_get(0)
        .memory_size(0)
        .i32_store(place(8, 2));
}

/// `memory.grow`: refuses past the declared maximum and remembers it; a refusal below is the host's
/// fault and must not become a result.
fn grow(i: &mut InstructionSink<'_>, at: &Indices, cap: u64) {
    i.memory_size(0)
        .i64_extend_i32_u()
        .local_get(0)
        .i64_extend_i32_u()
        .i64_add()
        .i64_const(cap as i64)
        .i64_gt_u()
        .if_(BlockType::Empty)
        .i32_const(1)
        .global_set(at.refused)
        .i32_const(-1)
        .return_()
        .end()
        .global_get(at.fuel)
        .local_get(0)
        .i64_extend_i32_u()
        .i64_const(PAGE_COST)
        .i64_mul()
        .i64_sub()
        .global_set(at.fuel)
        .global_get(at.fuel)
        .i64_const(0)
        .i64_lt_s()
        .if_(BlockType::Empty)
        .call(at.out_of_fuel)
        .end()
        .local_get(0)
        .memory_grow(0)
        .local_tee(1)
        .i32_const(-1)
        .i32_eq()
        .if_(BlockType::Empty)
        .i32_const(Reason::Host as i32)
        .global_set(at.reason)
        .unreachable()
        .end()
        .local_get(1);
}

/// `memory.copy` and `memory.fill`: one fuel for eight bytes begun, paid before; then their operands.
fn bulk_operands<'a, 'b>(
    i: &'a mut InstructionSink<'b>,
    at: &Indices,
) -> &'a mut InstructionSink<'b> {
    i.global_get(at.fuel)
        .local_get(2)
        .i64_extend_i32_u()
        .i64_const(7)
        .i64_add()
        .i64_const(3)
        .i64_shr_u()
        .i64_sub()
        .global_set(at.fuel)
        .global_get(at.fuel)
        .i64_const(0)
        .i64_lt_s()
        .if_(BlockType::Empty)
        .call(at.out_of_fuel)
        .end()
        .local_get(0)
        .local_get(1)
        .local_get(2)
}
