//! Rewriting one function: fuel a straight-line segment, depth a call, the one NaN where bits show.

use wasm_encoder::{BlockType, Encode as _, InstructionSink, ValType};
use wasmparser::{FunctionBody, Operator};

use super::shape::Shape;

/// How many globals the meter adds.
pub(super) const GLOBALS: usize = 4;

/// The added globals: fuel left, depth left, reason, whether growth was refused.
pub(super) fn globals() -> Vec<u8> {
    let mut bytes = vec![0x7e, 1];
    InstructionSink::new(&mut bytes).i64_const(0).end();
    for _ in 1..GLOBALS {
        bytes.extend([0x7f, 1]);
        InstructionSink::new(&mut bytes).i32_const(0).end();
    }
    bytes
}

/// Where the added globals and functions are.
pub(super) struct Indices {
    pub fuel: u32,
    pub depth: u32,
    pub reason: u32,
    pub refused: u32,
    pub out_of_fuel: u32,
    pub too_deep: u32,
    pub grow: u32,
    pub copy: u32,
    pub fill: u32,
    pub begin: u32,
}

impl Indices {
    /// Behind so many globals and functions of the module's own.
    pub fn new(globals: u32, functions: u32) -> Indices {
        Indices {
            fuel: globals,
            depth: globals + 1,
            reason: globals + 2,
            refused: globals + 3,
            out_of_fuel: functions,
            too_deep: functions + 1,
            grow: functions + 2,
            copy: functions + 3,
            fill: functions + 4,
            begin: functions + 5,
        }
    }
}

/// The added function types.
pub(super) struct Types {
    next: u32,
    known: Vec<(Vec<ValType>, Vec<ValType>, u32)>,
    bytes: Vec<u8>,
}

impl Types {
    /// Behind so many types of the module's own.
    pub fn new(first: u32) -> Types {
        Types { next: first, known: Vec::new(), bytes: Vec::new() }
    }

    /// The position of a type, added when it is new.
    pub fn of(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        if let Some(known) = self.known.iter().find(|k| k.0 == params && k.1 == results) {
            return known.2;
        }
        self.bytes.push(0x60);
        params.encode(&mut self.bytes);
        results.encode(&mut self.bytes);
        self.known.push((params.to_vec(), results.to_vec(), self.next));
        self.next += 1;
        self.next - 1
    }

    /// How many were added.
    pub fn added(&self) -> usize {
        self.known.len()
    }

    /// Their encoding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn value_type(of: wasmparser::ValType) -> ValType {
    match of {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 | wasmparser::ValType::Ref(_) => {
            unreachable!("the gate lets in neither vectors nor references")
        }
    }
}

/// What a segment begins with.
#[derive(Clone, Copy, PartialEq)]
enum Head {
    /// Nothing: fuel is charged, not checked.
    Plain,
    /// The function or a loop: fuel is checked too.
    Checked,
}

/// A function being rewritten.
struct Rewriter<'a> {
    at: &'a Indices,
    out: Vec<u8>,
    segment: Vec<u8>,
    cost: u64,
    head: Head,
    /// Open blocks inside the function's own.
    nesting: u32,
    first_scratch: u32,
    /// The added locals. The first holds the fuel left while the function runs: a local stays in a
    /// register, a global is memory.
    scratch: Vec<ValType>,
}

/// Rewrites the `index`-th body of the module; the result is a body without its length.
pub(super) fn rewrite(
    body: &FunctionBody<'_>,
    index: usize,
    shape: &Shape,
    at: &Indices,
    types: &mut Types,
) -> wasmparser::Result<Vec<u8>> {
    let frame = shape.frames[index];
    let of = &shape.types[shape.functions[index] as usize];
    let params = of.params().len() as u32;
    let slots = params + frame.locals + frame.height;
    let mut rewriter = Rewriter {
        at,
        out: Vec::new(),
        segment: Vec::new(),
        cost: 1 + u64::from(frame.locals) / 8,
        head: Head::Checked,
        nesting: 0,
        first_scratch: params + frame.locals,
        scratch: vec![ValType::I64],
    };
    // A function that calls none cannot nest.
    let weight = frame.calls.then_some(1 + (slots / 8) as i32);
    let results: Vec<ValType> = of.results().iter().map(|t| value_type(*t)).collect();
    let block = match results[..] {
        [] => BlockType::Empty,
        [one] => BlockType::Result(one),
        _ => BlockType::FunctionType(types.of(&[], &results)),
    };
    rewriter.enter(weight, block);
    let mut reader = body.get_operators_reader()?;
    let start = body.range().start;
    while !reader.eof() {
        let from = reader.original_position();
        let operator = reader.read()?;
        let to = reader.original_position();
        let raw = &body.as_bytes()[(from - start) as usize..(to - start) as usize];
        rewriter.operator(&operator, raw);
    }
    rewriter.leave(weight);
    rewriter.finish(body)
}

impl Rewriter<'_> {
    /// Opens the body: it stands in a block of its own, so that every way out passes [`Rewriter::leave`].
    fn enter(&mut self, weight: Option<i32>, block: BlockType) {
        let depth = self.at.depth;
        let mut code = InstructionSink::new(&mut self.out);
        if let Some(weight) = weight {
            code.global_get(depth)
                .i32_const(weight)
                .i32_sub()
                .global_set(depth)
                .global_get(depth)
                .i32_const(0)
                .i32_lt_s()
                .if_(BlockType::Empty)
                .call(self.at.too_deep)
                .end();
        }
        code.global_get(self.at.fuel).local_set(self.first_scratch).block(block);
    }

    fn leave(&mut self, weight: Option<i32>) {
        let depth = self.at.depth;
        let mut code = InstructionSink::new(&mut self.out);
        code.local_get(self.first_scratch).global_set(self.at.fuel);
        if let Some(weight) = weight {
            code.global_get(depth).i32_const(weight).i32_add().global_set(depth);
        }
        code.end();
    }

    /// Something that looks at the fuel, or takes of it, between telling it how much is left and asking.
    fn with_fuel(&mut self, what: impl FnOnce(&mut Vec<u8>)) {
        let (local, fuel) = (self.first_scratch, self.at.fuel);
        InstructionSink::new(&mut self.segment).local_get(local).global_set(fuel);
        what(&mut self.segment);
        InstructionSink::new(&mut self.segment).global_get(fuel).local_set(local);
    }

    /// Closes the segment: what it costs, then what it does.
    fn close(&mut self, next: Head, cost: u64) {
        if self.cost > 0 || self.head == Head::Checked {
            let (local, fuel) = (self.first_scratch, self.at.fuel);
            let mut code = InstructionSink::new(&mut self.out);
            code.local_get(local).i64_const(self.cost as i64).i64_sub();
            if self.head == Head::Checked {
                code.local_tee(local).i64_const(0).i64_lt_s();
                code.if_(BlockType::Empty);
                code.local_get(local).global_set(fuel).call(self.at.out_of_fuel).end();
            } else {
                code.local_set(local);
            }
        }
        self.out.append(&mut self.segment);
        (self.head, self.cost) = (next, cost);
    }

    fn scratch(&mut self, of: ValType) -> u32 {
        let known = self.scratch.iter().position(|s| *s == of);
        let position = known.unwrap_or_else(|| {
            self.scratch.push(of);
            self.scratch.len() - 1
        });
        self.first_scratch + position as u32
    }

    /// Makes a NaN on top of the stack the one NaN.
    fn one_nan(&mut self, of: ValType) {
        let local = self.scratch(of);
        let mut code = InstructionSink::new(&mut self.segment);
        code.local_tee(local);
        match of {
            ValType::F64 => code.f64_const(f64::from_bits(0x7ff8_0000_0000_0000).into()),
            _ => code.f32_const(f32::from_bits(0x7fc0_0000).into()),
        };
        code.local_get(local).local_get(local);
        if of == ValType::F64 {
            code.f64_eq()
        } else {
            code.f32_eq()
        };
        code.select();
    }

    fn operator(&mut self, operator: &Operator<'_>, raw: &[u8]) {
        use Operator as O;
        self.cost += cost(operator);
        match operator {
            O::Block { .. } => {
                self.nesting += 1;
                self.segment.extend_from_slice(raw);
            }
            O::Loop { .. } => {
                self.nesting += 1;
                self.segment.extend_from_slice(raw);
                self.close(Head::Checked, 1);
            }
            O::If { .. } => {
                self.nesting += 1;
                self.segment.extend_from_slice(raw);
                self.close(Head::Plain, 0);
            }
            O::End => {
                self.nesting = self.nesting.saturating_sub(1);
                self.segment.extend_from_slice(raw);
                self.close(Head::Plain, 0);
            }
            O::Return => {
                InstructionSink::new(&mut self.segment).br(self.nesting);
                self.close(Head::Plain, 0);
            }
            O::Else | O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } => {
                self.segment.extend_from_slice(raw);
                self.close(Head::Plain, 0);
            }
            O::Unreachable => {
                self.with_fuel(|_| ());
                self.segment.extend_from_slice(raw);
                self.close(Head::Plain, 0);
            }
            O::Call { .. } | O::CallIndirect { .. } => {
                self.with_fuel(|code| code.extend_from_slice(raw));
            }
            O::MemoryGrow { .. } => {
                let grow = self.at.grow;
                self.with_fuel(|code| _ = InstructionSink::new(code).call(grow));
            }
            O::MemoryCopy { .. } => {
                let copy = self.at.copy;
                self.with_fuel(|code| _ = InstructionSink::new(code).call(copy));
            }
            O::MemoryFill { .. } => {
                let fill = self.at.fill;
                self.with_fuel(|code| _ = InstructionSink::new(code).call(fill));
            }
            O::F32Store { .. } | O::I32ReinterpretF32 | O::F32Copysign => {
                self.one_nan(ValType::F32);
                self.segment.extend_from_slice(raw);
            }
            O::F64Store { .. } | O::I64ReinterpretF64 | O::F64Copysign => {
                self.one_nan(ValType::F64);
                self.segment.extend_from_slice(raw);
            }
            _ => self.segment.extend_from_slice(raw),
        }
    }

    /// The body: the old locals, the scratch locals, the code.
    fn finish(self, body: &FunctionBody<'_>) -> wasmparser::Result<Vec<u8>> {
        let mut groups = Vec::new();
        for group in body.get_locals_reader()? {
            let (n, of) = group?;
            groups.push((n, value_type(of)));
        }
        groups.extend(self.scratch.iter().map(|of| (1, *of)));
        let mut bytes = Vec::with_capacity(self.out.len() + 16);
        (groups.len() as u32).encode(&mut bytes);
        for (n, of) in groups {
            n.encode(&mut bytes);
            of.encode(&mut bytes);
        }
        bytes.extend_from_slice(&self.out);
        Ok(bytes)
    }
}

/// The fuel of one instruction.
fn cost(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::Nop | O::Block { .. } | O::Loop { .. } | O::Else | O::End => 0,
        O::Call { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. } => 4,
        O::CallIndirect { .. } => 8,
        O::MemoryGrow { .. } => 16,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 4,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 4,
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => 4,
        _ => 1,
    }
}
