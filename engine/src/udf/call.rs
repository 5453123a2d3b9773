//! One call of a guest: the frame in, the meter wound up, the status and the answer out.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::MutableBuffer;
use highwater_abi::{Column, Output, export, status};

use super::answer::{Answer, Lie};
use super::frame::{Frame, FrameWriter};
use super::meter::{Reason, helper};
use super::module::GuestModule;
use super::reply::Reply;
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
    pub export: &'static str,
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
    /// Bytes of the frame before, to write the next one to.
    own: Vec<u8>,
    /// The accumulators of an earlier answer, to write over.
    state: MutableBuffer,
}

impl Clone for Caller {
    fn clone(&self) -> Caller {
        Caller {
            module: Arc::clone(&self.module),
            sandbox: Arc::clone(&self.sandbox),
            parameters: self.parameters.clone(),
            traced: self.traced,
            live: None,
            own: Vec::new(),
            state: MutableBuffer::default(),
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
pub(super) enum Want<'a> {
    /// The accumulators.
    State,
    /// Columns of these types, of at most so many rows.
    Columns(&'a [DataType], usize),
}

/// What a successful call leaves.
#[derive(Default)]
pub(super) struct Done {
    /// What [`Want::State`] asked for.
    pub state: MutableBuffer,
    /// What [`Want::Columns`] asked for, and their rows.
    pub columns: Vec<ArrayRef>,
    pub rows: usize,
}

impl Caller {
    pub fn new(
        module: Arc<GuestModule>,
        sandbox: Arc<dyn Sandbox>,
        parameters: Vec<Value>,
    ) -> Caller {
        Caller {
            module,
            sandbox,
            parameters,
            traced: true,
            live: None,
            own: Vec::new(),
            state: MutableBuffer::default(),
        }
    }

    /// A frame for the next call.
    pub fn writer<'a>(&mut self, columns: u16, rows: u32) -> FrameWriter<'a> {
        FrameWriter::reusing(std::mem::take(&mut self.own), columns, rows)
    }

    /// Gives the accumulators of an answer back, for the next one.
    pub fn recycle(&mut self, done: Done) {
        self.state = done.state;
    }

    /// Calls an operator export. The call is noted even when it fails.
    pub fn call(
        &mut self,
        export: &'static str,
        frame: Option<Frame<'_>>,
        want: Want<'_>,
        calls: &mut Vec<Call>,
    ) -> Result<Done> {
        let Some(mut frame) = frame else {
            return Err(Diagnostic::new(
                "guest.memory-limit",
                format!("the rows for `{export}` do not fit the largest frame"),
            ));
        };
        let rows = frame.header.rows;
        let mut call = Call { rows, ..Call::of(export) };
        let budget = self.module.limits().fuel(rows);
        let mut done = Err(bad(export, "it asks for more room again and again"));
        for _ in 0..MAX_ROUNDS {
            match self.round(&frame, want, budget, &mut call) {
                Ok(Round::More(cap)) => frame = frame.with_room(cap),
                Ok(Round::Done(answer)) => {
                    done = Ok(answer);
                    break;
                }
                Err(error) => {
                    self.live = None;
                    done = Err(error);
                    break;
                }
            }
        }
        self.own = frame.into_own();
        calls.push(call);
        done
    }

    fn round(
        &mut self,
        frame: &Frame<'_>,
        want: Want<'_>,
        budget: u64,
        call: &mut Call,
    ) -> Result<Round> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.start()?,
        };
        live.make_room(frame.len(), self.module.limits().fuel(0))?;
        let mut done = Done { state: std::mem::take(&mut self.state), ..Done::default() };
        done.state.clear();
        let more = live.round(frame, want, budget, call, &mut done)?;
        if !self.traced || call.pages == live.pages {
            self.live = Some(live);
        }
        Ok(more.map_or(Round::Done(done), Round::More))
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

    fn configure(&mut self, frame: &Frame<'_>, fuel: u64) -> Result<()> {
        let name = export::CONFIGURE;
        self.put(name, frame)?;
        self.begin(fuel)?;
        let args = [self.arena as i32, frame.len() as i32];
        match self.instance.call(name, &args) {
            Ok(status::OK) => Ok(()),
            Ok(code) if code >= status::ERROR => Err(self.complaint(name, frame, code)),
            Ok(code) => Err(bad(name, &format!("it returns the status {code}"))),
            Err(Trap) => {
                let mut call = Call::of(name);
                Err(self.trapped(name, fuel, &mut call))
            }
        }
    }

    fn put(&mut self, export: &str, frame: &Frame<'_>) -> Result<()> {
        let zeroed = match export {
            // Its column is written whole: only what its head takes is cleared.
            export::FN_CALL => Output::LEN + Column::LEN,
            _ => frame.header.out_cap as usize,
        };
        match frame.put(&mut *self.instance, self.arena, zeroed) {
            true => Ok(()),
            false => Err(bad(export, "its frame's address is out of memory")),
        }
    }

    fn reply<'a>(&'a mut self, frame: &'a Frame<'_>) -> Reply<'a> {
        Reply { instance: &mut *self.instance, arena: self.arena, header: &frame.header }
    }

    /// Calls an operator with the frame that stands in the arena, and notes what the call took.
    fn run(&mut self, budget: u64, call: &mut Call) -> Result<i32> {
        let run = helper::RUN.iter().find(|(export, _)| *export == call.export);
        let (_, run) = run.ok_or_else(broken_host)?;
        let args = [self.arena as i32, budget as u32 as i32, (budget >> 32) as u32 as i32];
        let Ok(returned) = self.instance.call(run, &args) else {
            return Err(self.trapped(call.export, budget, call));
        };
        // What the meter has left where the frame's head was: fuel and pages.
        let mut told = [0; 12];
        if !self.instance.read(self.arena, &mut told) {
            return Err(broken_host());
        }
        let [a, b, c, d, e, f, g, h, pages @ ..] = told;
        let left = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        call.fuel += (budget as i64).saturating_sub(left) as u64;
        call.pages = u32::from_le_bytes(pages);
        call.log.append(&mut self.instance.take_log());
        Ok(returned)
    }

    /// One call; how much room the answer needs when it has too little.
    fn round(
        &mut self,
        frame: &Frame<'_>,
        want: Want<'_>,
        budget: u64,
        call: &mut Call,
        done: &mut Done,
    ) -> Result<Option<usize>> {
        let export = call.export;
        self.put(export, frame)?;
        let returned = self.run(budget, call)?;
        let lie = |lie: Lie| bad(export, &lie);
        match returned {
            status::OK => {
                match want {
                    Want::State => self.reply(frame).state(&mut done.state).map_err(lie)?,
                    Want::Columns(types, most) => {
                        let told = self.reply(frame).columns(types, most);
                        (done.rows, done.columns) = told.map_err(lie)?;
                    }
                }
                Ok(None)
            }
            status::NEED_MORE => {
                let head = self.reply(frame).head(Output::LEN).map_err(lie)?;
                let need = Output::read(&head).map_or(0, |head| head.need) as usize;
                let has = frame.header.out_cap;
                if need <= has as usize || need > MAX_ANSWER {
                    let told = format!(
                        "it wants {need} bytes for its answer, has {has} and may have {MAX_ANSWER}"
                    );
                    return Err(bad(export, &told));
                }
                Ok(Some(need))
            }
            code if code >= status::ERROR => Err(self.complaint(export, frame, code)),
            code => Err(bad(export, &format!("it returns the status {code}"))),
        }
    }

    /// The guest's own error.
    fn complaint(&mut self, export: &str, frame: &Frame<'_>, code: i32) -> Error {
        let region = match self.reply(frame).head(frame.header.out_cap as usize) {
            Ok(region) => region,
            Err(lie) => return bad(export, &lie),
        };
        let len = Output::read(&region).map_or(0, |head| head.need);
        let text = Answer { region: &region, out_off: frame.header.out_off }.text(len);
        Diagnostic::new("guest.error", format!("`{export}` reports error {code}: {text}"))
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
    fn of(export: &'static str) -> Call {
        Call { export, rows: 0, fuel: 0, pages: 0, log: Vec::new() }
    }
}

/// The answer of an export breaks the ABI.
pub(super) fn bad(export: &str, what: &str) -> Error {
    Diagnostic::new("guest.bad-output", format!("`{export}` breaks the operator ABI: {what}"))
}

/// The runtime under the sandbox failed; no fault of the guest's.
fn broken_host() -> Error {
    Diagnostic::new("guest.host", "the WebAssembly runtime failed under a guest")
}
