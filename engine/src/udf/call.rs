//! One call of a guest: the frame in, the meter wound up, the status and the answer out.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::MutableBuffer;
use highwater_abi::{Column, Output, export, status};

use super::answer::{self, Answer};
use super::frame::{Frame, FrameWriter};
use super::meter::{Reason, helper};
use super::module::GuestModule;
use super::{Instance, LogLine, Sandbox, Trap};
use crate::error::{Diagnostic, Error, Result};
use crate::schema::DataType;
use crate::value::Value;

/// The largest answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;
/// What a guest is first asked to set aside for frames, in bytes.
const FIRST_ARENA: usize = 64 << 10;
/// How often a guest may ask for more room in one call.
const MAX_ROUNDS: u32 = 4;

/// One call of a guest as the trace tells it. Equal on every host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The export.
    pub export: String,
    /// Rows the call was about: records, slots, windows or pairs.
    pub rows: u32,
    /// Fuel used.
    pub fuel: u64,
    /// The guest's memory afterwards, in 64 KiB pages.
    pub pages: u32,
    /// What the guest said.
    pub log: Vec<LogLine>,
}

/// A module, a sandbox and, made when first needed, an instance.
pub(super) struct Caller {
    pub module: Arc<GuestModule>,
    pub sandbox: Arc<dyn Sandbox>,
    pub parameters: Vec<Value>,
    pub traced: bool,
    live: Option<Live>,
}

impl Clone for Caller {
    fn clone(&self) -> Caller {
        Caller {
            module: Arc::clone(&self.module),
            sandbox: Arc::clone(&self.sandbox),
            parameters: self.parameters.clone(),
            traced: self.traced,
            live: None,
        }
    }
}

struct Live {
    instance: Box<dyn Instance>,
    arena: u32,
    capacity: usize,
    /// Pages before the first operator call. In a traced run an instance that grew beyond them is not
    /// used again, so that `Call::pages` never tells of earlier calls.
    pages: u32,
}

/// What of an answer is wanted.
#[derive(Clone, Copy)]
pub(super) enum Want {
    /// The accumulators.
    State,
    /// The output region.
    Region,
    /// The one column of the answer, as many rows as the call is about.
    Column(DataType),
}

/// What a successful call leaves.
#[derive(Default)]
pub(super) struct Done {
    pub state: Vec<u8>,
    /// What [`Want::Column`] asked for.
    pub column: Option<ArrayRef>,
    region: Vec<u8>,
    out_off: u32,
}

impl Done {
    pub fn answer(&self) -> Answer<'_> {
        Answer { region: &self.region, out_off: self.out_off }
    }
}

impl Caller {
    pub fn new(
        module: Arc<GuestModule>,
        sandbox: Arc<dyn Sandbox>,
        parameters: Vec<Value>,
    ) -> Caller {
        Caller { module, sandbox, parameters, traced: true, live: None }
    }

    /// Calls an operator export. The call is noted even when it fails.
    pub fn call(
        &mut self,
        export: &str,
        frame: Option<Frame>,
        want: Want,
        calls: &mut Vec<Call>,
    ) -> Result<Done> {
        let Some(mut frame) = frame else {
            return Err(Diagnostic::new(
                "guest.memory-limit",
                format!("the rows for `{export}` do not fit the largest frame"),
            ));
        };
        let rows = frame.header.rows;
        let mut call = Call { export: export.into(), rows, fuel: 0, pages: 0, log: Vec::new() };
        let budget = self.module.limits().fuel(rows);
        for _ in 0..MAX_ROUNDS {
            let outcome = self.round(export, &frame, want, budget, &mut call);
            if outcome.is_err() {
                self.live = None;
            }
            match outcome {
                Ok(Round::Done(done)) => {
                    calls.push(call);
                    return Ok(done);
                }
                Ok(Round::More(cap)) => frame = frame.with_room(cap),
                Err(error) => {
                    calls.push(call);
                    return Err(error);
                }
            }
        }
        calls.push(call);
        Err(bad(export, "it asks for more room again and again"))
    }

    fn round(
        &mut self,
        export: &str,
        frame: &Frame,
        want: Want,
        budget: u64,
        call: &mut Call,
    ) -> Result<Round> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.start()?,
        };
        let fuel_base = self.module.limits().fuel(0);
        live.make_room(frame.len(), fuel_base)?;
        let round = live.round(export, frame, want, budget, call)?;
        if !self.traced || call.pages == live.pages {
            self.live = Some(live);
        }
        Ok(round)
    }

    /// A new instance, with its parameters.
    fn start(&self) -> Result<Live> {
        let instance = self.sandbox.instantiate(self.module.metered())?;
        let mut live = Live { instance, arena: 0, capacity: 0, pages: 0 };
        let fuel = self.module.limits().fuel(1);
        // A guest without an allocator may have less than this; it is asked again for what is needed.
        live.ask_arena(FIRST_ARENA, fuel)?;
        if self.module.has(export::CONFIGURE) {
            let mut writer = FrameWriter::new(self.parameters.len() as u16, 1);
            for (parameter, value) in self.module.manifest().parameters.iter().zip(&self.parameters)
            {
                writer.value(parameter.typed.data_type, value);
            }
            let frame = writer.finish(1024).expect("parameters are few and small");
            live.make_room(frame.len(), fuel)?;
            live.configure(&frame, fuel)?;
        }
        live.pages = live.helper(helper::PAGES)? as u32;
        Ok(live)
    }
}

enum Round {
    Done(Done),
    More(usize),
}

impl Live {
    fn helper(&mut self, name: &str) -> Result<i32> {
        self.instance.call(name, &[]).map_err(|Trap| broken_host())
    }

    fn begin(&mut self, fuel: u64) -> Result<()> {
        let args = [fuel as u32 as i32, (fuel >> 32) as u32 as i32];
        self.instance.call(helper::BEGIN, &args).map(drop).map_err(|Trap| broken_host())
    }

    fn used(&mut self, budget: u64) -> Result<u64> {
        let low = self.helper(helper::FUEL_LO)? as u32;
        let high = self.helper(helper::FUEL_HI)? as u32;
        let left = (u64::from(high) << 32 | u64::from(low)) as i64;
        Ok((budget as i64).saturating_sub(left) as u64)
    }

    /// Asks for an arena; whether the guest gave one.
    fn ask_arena(&mut self, bytes: usize, fuel: u64) -> Result<bool> {
        self.begin(fuel)?;
        let address = match self.instance.call(export::ARENA, &[bytes as i32]) {
            Ok(address) => address as u32,
            Err(Trap) => {
                let mut call = Call::of(export::ARENA);
                return Err(self.trapped(export::ARENA, fuel, &mut call));
            }
        };
        if address == 0 {
            return Ok(false);
        }
        let end = u64::from(address) + bytes as u64;
        let pages = self.helper(helper::PAGES)? as u32;
        if !address.is_multiple_of(8) || end > u64::from(pages) << 16 {
            return Err(bad(
                export::ARENA,
                &format!("it gives {bytes} bytes at {address}, unaligned or out of memory"),
            ));
        }
        (self.arena, self.capacity) = (address, bytes);
        Ok(true)
    }

    fn make_room(&mut self, bytes: usize, fuel: u64) -> Result<()> {
        if bytes <= self.capacity {
            return Ok(());
        }
        let roomy = bytes.next_power_of_two();
        if self.ask_arena(roomy, fuel)? || self.ask_arena(bytes, fuel)? {
            return Ok(());
        }
        Err(Diagnostic::new(
            "guest.memory-limit",
            format!("`{}` has no room for a frame of {bytes} bytes", export::ARENA),
        )
        .hint(
            "raise the memory's declared maximum in the guest, or what its `hw_arena` sets aside",
        ))
    }

    fn configure(&mut self, frame: &Frame, fuel: u64) -> Result<()> {
        let name = export::CONFIGURE;
        self.put(name, frame, Want::Region)?;
        self.begin(fuel)?;
        let args = [self.arena as i32, frame.len() as i32];
        match self.instance.call(name, &args) {
            Ok(status::OK) => Ok(()),
            Ok(code) if code >= status::ERROR => {
                let region = self.region(name, frame)?;
                Err(complaint(name, &region, frame.header.out_off, code))
            }
            Ok(code) => Err(bad(name, &format!("it returns the status {code}"))),
            Err(Trap) => {
                let mut call = Call::of(name);
                Err(self.trapped(name, fuel, &mut call))
            }
        }
    }

    fn put(&mut self, export: &str, frame: &Frame, want: Want) -> Result<()> {
        let zeroed = match want {
            // A column is written whole: only what its head takes is cleared.
            Want::Column(_) => Output::LEN + Column::LEN,
            Want::State | Want::Region => frame.header.out_cap as usize,
        };
        match frame.put(&mut *self.instance, self.arena, zeroed) {
            true => Ok(()),
            false => Err(bad(export, "its frame's address is out of memory")),
        }
    }

    fn get(&mut self, export: &str, offset: u32, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        match self.instance.read(self.arena + offset, &mut bytes) {
            true => Ok(bytes),
            false => Err(bad(export, "its frame's address is out of memory")),
        }
    }

    fn region(&mut self, export: &str, frame: &Frame) -> Result<Vec<u8>> {
        self.get(export, frame.header.out_off, frame.header.out_cap as usize)
    }

    fn round(
        &mut self,
        export: &str,
        frame: &Frame,
        want: Want,
        budget: u64,
        call: &mut Call,
    ) -> Result<Round> {
        self.put(export, frame, want)?;
        self.begin(budget)?;
        let returned = match self.instance.call(export, &[self.arena as i32]) {
            Ok(returned) => returned,
            Err(Trap) => return Err(self.trapped(export, budget, call)),
        };
        call.fuel += self.used(budget)?;
        call.pages = self.helper(helper::PAGES)? as u32;
        call.log.append(&mut self.instance.take_log());
        let header = &frame.header;
        match returned {
            status::OK => self.done(export, frame, want).map(Round::Done),
            status::NEED_MORE => {
                let head = self.get(export, header.out_off, Output::LEN)?;
                let need = Output::read(&head).map_or(0, |head| head.need) as usize;
                if need <= header.out_cap as usize || need > MAX_ANSWER {
                    let told = format!(
                        "it wants {need} bytes for its answer, has {} and may have {MAX_ANSWER}",
                        header.out_cap
                    );
                    return Err(bad(export, &told));
                }
                Ok(Round::More(need))
            }
            code if code >= status::ERROR => {
                let region = self.region(export, frame)?;
                Err(complaint(export, &region, header.out_off, code))
            }
            code => Err(bad(export, &format!("it returns the status {code}"))),
        }
    }

    /// What the guest has left, as far as it is wanted.
    fn done(&mut self, export: &str, frame: &Frame, want: Want) -> Result<Done> {
        let header = &frame.header;
        let mut done = Done { out_off: header.out_off, ..Done::default() };
        match want {
            Want::State => {
                let len = header.slots as usize * header.state_stride as usize;
                done.state = self.get(export, header.state_off, len)?;
            }
            Want::Region => done.region = self.region(export, frame)?,
            Want::Column(DataType::String | DataType::Bytes) => {
                done.region = self.region(export, frame)?;
            }
            Want::Column(data_type) => {
                done.column = Some(self.column(export, frame, data_type)?);
            }
        }
        Ok(done)
    }

    /// The one column of an answer, its values copied once.
    fn column(&mut self, export: &str, frame: &Frame, data_type: DataType) -> Result<ArrayRef> {
        let header = &frame.header;
        let rows = header.rows as usize;
        let head = self.get(export, header.out_off, Output::LEN + Column::LEN)?;
        // The guest wrote what is read here: a region of its head alone tells what is wrong with it.
        let told = Answer { region: &head, out_off: header.out_off };
        let column = told.head_of_column(data_type, rows).map_err(|lie| bad(export, &lie))?;
        let bits = rows.div_ceil(8);
        let len = match data_type {
            DataType::Boolean => bits,
            _ => rows * answer::width(data_type),
        };
        let mut part = |what: &str, at: u32, len: usize| {
            let last = u64::from(at) + len as u64;
            let end = u64::from(header.out_off) + u64::from(header.out_cap);
            if at < header.out_off || last > end {
                let told = format!("its {what} ({len} bytes at {at}) leave the output region");
                return Err(bad(export, &format!("column 0: {told}")));
            }
            let mut bytes = MutableBuffer::with_capacity(len);
            match self.instance.append(self.arena + at, len, &mut bytes) {
                true => Ok(bytes),
                false => Err(bad(export, "its frame's address is out of memory")),
            }
        };
        if (column.data_len as usize) < len {
            let told = format!("its values take {len} bytes, it has {}", column.data_len);
            return Err(bad(export, &format!("column 0: {told}")));
        }
        let nulls = match column.validity_off {
            0 => None,
            at => answer::nulls_of(&part("validity bits", at, bits)?, rows),
        };
        let data = part("values", column.data_off, len)?;
        Ok(answer::whole(data.into(), data_type, rows, nulls))
    }

    /// Why a guest trapped, from the meter's own words.
    fn trapped(&mut self, export: &str, budget: u64, call: &mut Call) -> Error {
        let told = (|| {
            call.fuel += self.used(budget)?;
            call.pages = self.helper(helper::PAGES)? as u32;
            call.log.append(&mut self.instance.take_log());
            let refused = self.helper(helper::GROW_REFUSED)? != 0;
            Ok((Reason::of(self.helper(helper::REASON)?), refused))
        })();
        let (reason, refused) = match told {
            Ok(told) => told,
            Err(error) => return error,
        };
        let fuel = call.fuel;
        let last = call.log.iter().rev().find(|line| line.level == 255);
        let (code, what, hint) = match (reason, last) {
            (Reason::Fuel, _) => (
                "guest.out-of-fuel",
                format!("`{export}` ran out of fuel after {fuel}"),
                "is there a loop that does not end? Fuel counts executed instructions, so much a call and a row",
            ),
            (Reason::Depth, _) => (
                "guest.call-depth",
                format!("`{export}` nested calls too deep, after {fuel} fuel"),
                "is there a recursion that does not end?",
            ),
            (Reason::Host, _) => return broken_host(),
            (Reason::None, _) if refused => (
                "guest.memory-limit",
                format!("`{export}` trapped after it was refused memory, after {fuel} fuel"),
                "the memory's declared maximum is the most a guest gets",
            ),
            (Reason::None, Some(line)) => (
                "guest.abort",
                format!("`{export}` gave up after {fuel} fuel: {}", line.text),
                "the guest itself called `hw.abort`, as a panic does",
            ),
            (Reason::None, None) => (
                "guest.trap",
                format!("`{export}` trapped after {fuel} fuel"),
                "an unreachable instruction, an access out of memory, a division by zero or the like",
            ),
        };
        Diagnostic::new(code, what).hint(hint)
    }
}

impl Call {
    fn of(export: &str) -> Call {
        Call { export: export.into(), rows: 0, fuel: 0, pages: 0, log: Vec::new() }
    }
}

/// The answer of an export breaks the ABI.
pub(super) fn bad(export: &str, what: &str) -> Error {
    Diagnostic::new("guest.bad-output", format!("`{export}` breaks the operator ABI: {what}"))
}

fn complaint(export: &str, region: &[u8], out_off: u32, code: i32) -> Error {
    let len = Output::read(region).map_or(0, |head| head.need);
    let text = Answer { region, out_off }.text(len);
    Diagnostic::new("guest.error", format!("`{export}` reports error {code}: {text}"))
}

/// The runtime under the sandbox failed; no fault of the guest's.
fn broken_host() -> Error {
    Diagnostic::new("guest.host", "the WebAssembly runtime failed under a guest")
}
