//! The page's end of the worker: requests out, answers in, and a watchdog that ends a silent one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use highwater_trace::trace;
use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::answer::{read_problems, read_tables};
use crate::model::Status;
use crate::update::{Command, Msg};

/// How long the worker may be silent, in milliseconds.
const PATIENCE_MS: i32 = 20_000;

type Sink = Rc<dyn Fn(Msg)>;

/// A running worker. Dropping it ends it.
pub struct Client {
    worker: Worker,
    waiting: Rc<RefCell<BTreeMap<u32, i32>>>,
    next: Cell<u32>,
    timeout: Closure<dyn FnMut()>,
    _answer: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Client {
    /// Starts the worker. Answers go to `sink`.
    ///
    /// # Errors
    /// When the browser has no module workers.
    pub fn start(sink: Sink) -> Result<Client, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options("./worker.js", &options)?;
        let waiting: Rc<RefCell<BTreeMap<u32, i32>>> = Rc::default();
        let (to, open) = (Rc::clone(&sink), Rc::clone(&waiting));
        let answer = Closure::new(move |event: MessageEvent| {
            let data = event.data();
            let id = number(&data, "id").map_or(0, |n| n as u32);
            if let Some(timer) = open.borrow_mut().remove(&id) {
                clear(timer);
            }
            let unreadable = || Msg::WorkerLost("its answer cannot be read".to_owned());
            to(read(&data).unwrap_or_else(unreadable));
        });
        worker.set_onmessage(Some(answer.as_ref().unchecked_ref()));
        let to = Rc::clone(&sink);
        let error = Closure::new(move |_: web_sys::Event| {
            to(Msg::WorkerLost("its worker could not be started".to_owned()));
        });
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        let timeout =
            Closure::new(move || sink(Msg::WorkerLost("nothing for 20 seconds".to_owned())));
        let next = Cell::new(1);
        Ok(Client { worker, waiting, next, timeout, _answer: answer, _error: error })
    }

    /// Sends a command that is the worker's.
    ///
    /// # Errors
    /// When the browser refuses the message.
    pub fn send(&self, command: &Command) -> Result<(), JsValue> {
        let Some(request) = write(command)? else { return Ok(()) };
        let id = self.next.replace(self.next.get().wrapping_add(1));
        Reflect::set(&request, &"id".into(), &f64::from(id).into())?;
        if let Some(window) = web_sys::window() {
            let watchdog = self.timeout.as_ref().unchecked_ref();
            let timer = window
                .set_timeout_with_callback_and_timeout_and_arguments_0(watchdog, PATIENCE_MS)?;
            self.waiting.borrow_mut().insert(id, timer);
        }
        self.worker.post_message(&request)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for timer in self.waiting.borrow().values() {
            clear(*timer);
        }
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn clear(timer: i32) {
    if let Some(window) = web_sys::window() {
        window.clear_timeout_with_handle(timer);
    }
}

/// A command as a message; `None` when it is not the worker's.
fn write(command: &Command) -> Result<Option<Object>, JsValue> {
    let fields: Vec<(&str, JsValue)> = match command {
        Command::Open { name, text, seed, faults, seek } => {
            let pairs = faults.iter().map(|(step, fault)| {
                Array::of2(&JsValue::from_f64(*step as f64), &JsValue::from_str(fault))
            });
            vec![
                ("op", "open".into()),
                ("name", name.into()),
                ("text", text.into()),
                ("seed", seed.map_or(JsValue::NULL, |s| JsValue::from_f64(s as f64))),
                ("faults", pairs.collect::<Array>().into()),
                ("seek", JsValue::from_f64(*seek as f64)),
            ]
        }
        Command::Check { revision, name, text } => vec![
            ("op", "check".into()),
            ("name", name.into()),
            ("text", text.into()),
            ("revision", JsValue::from_f64(*revision as f64)),
        ],
        Command::Step { steps, budget_ms, since } => vec![
            ("op", "step".into()),
            ("steps", (*steps).into()),
            ("budget", (*budget_ms).into()),
            ("since", JsValue::from_f64(*since as f64)),
        ],
        Command::Seek { step, since } => vec![
            ("op", "seek".into()),
            ("step", JsValue::from_f64(*step as f64)),
            ("since", JsValue::from_f64(*since as f64)),
        ],
        Command::Inject { fault, since } => vec![
            ("op", "inject".into()),
            ("fault", fault.into()),
            ("since", JsValue::from_f64(*since as f64)),
        ],
        Command::Fetch(_) | Command::Address(_) | Command::RestartWorker => return Ok(None),
    };
    let request = Object::new();
    for (name, value) in fields {
        Reflect::set(&request, &name.into(), &value)?;
    }
    Ok(Some(request))
}

/// An answer as a message of the page.
fn read(data: &JsValue) -> Option<Msg> {
    let problems = || read_problems(&text(data, "diagnostics").unwrap_or_default());
    Some(match text(data, "kind")?.as_str() {
        "opened" => Msg::Opened {
            status: Status::from_json(&text(data, "status")?)?,
            tables: read_tables(&text(data, "tables").unwrap_or_default()),
            faults: text(data, "kinds").unwrap_or_default().lines().map(str::to_owned).collect(),
            chunk: chunk(data)?,
        },
        "moved" => {
            Msg::Moved { status: Status::from_json(&text(data, "status")?)?, chunk: chunk(data)? }
        }
        "refused" => Msg::Refused(problems()),
        "fault-refused" => Msg::FaultRefused(problems()),
        "checked" => Msg::Checked {
            revision: number(data, "revision")? as u64,
            problems: text(data, "diagnostics").map(|t| read_problems(&t)).unwrap_or_default(),
        },
        _ => Msg::WorkerLost(text(data, "message").unwrap_or_else(|| "no reason".to_owned())),
    })
}

/// The trace chunk of an answer, if it has one; `None` outside when it cannot be read.
fn chunk(data: &JsValue) -> Option<Option<trace::Chunk>> {
    let value = Reflect::get(data, &"chunk".into()).ok()?;
    let Some(buffer) = value.dyn_ref::<ArrayBuffer>() else { return Some(None) };
    match trace::decode(&Uint8Array::new(buffer).to_vec()) {
        Ok(chunk) => Some(Some(chunk)),
        Err(problem) => {
            web_sys::console::error_1(&problem.to_string().into());
            None
        }
    }
}

fn text(data: &JsValue, name: &str) -> Option<String> {
    Reflect::get(data, &name.into()).ok()?.as_string()
}

fn number(data: &JsValue, name: &str) -> Option<f64> {
    Reflect::get(data, &name.into()).ok()?.as_f64()
}
