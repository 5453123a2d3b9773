//! What is seen: the page's components, and the one place through which they change anything.

mod app;
mod editor;
mod events;
mod graph;
mod header;
mod help;
mod late;
mod lesson;
mod plane;
mod recovery;
mod rows;
mod transport;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use crate::answer::read_gallery;
use crate::model::{Model, Play};
use crate::update::{Command, Msg, update};
use crate::worker_client::Client;

/// The least time between two redraws of tables while playing, in milliseconds.
const TABLE_PAUSE_MS: f64 = 120.0;

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
    static LOOPING: Cell<bool> = const { Cell::new(false) };
    static DRAWN: Cell<f64> = const { Cell::new(0.0) };
    static LAST_FRAME: Cell<f64> = const { Cell::new(0.0) };
}

/// The page's state and the way to change it.
#[derive(Clone, Copy)]
pub(crate) struct App {
    /// Everything; what draws on a canvas follows it.
    pub model: RwSignal<Model>,
    /// Counts redraws of tables: what builds many elements follows it and reads the model beside it.
    pub slow: RwSignal<u32>,
    /// The dark theme is on.
    pub dark: RwSignal<bool>,
}

/// The page's state, for a component.
pub(crate) fn app() -> App {
    expect_context::<App>()
}

/// Starts the page in the element `#page`.
pub fn start() {
    console_error_panic_hook::set_once();
    let Some(root) = document().get_element_by_id("page") else { return };
    root.set_text_content(None);
    let app = App {
        model: RwSignal::new(Model::new()),
        slow: RwSignal::new(0),
        dark: RwSignal::new(header::starts_dark()),
    };
    mount_to(root.unchecked_into(), move || {
        provide_context(app);
        view! { <app::Page /> }
    })
    .forget();
    app.start_worker();
    app.follow_address();
    spawn_local(async move {
        let examples = fetch("./examples/index.json").await.ok().and_then(|t| read_gallery(&t));
        app.send(match examples {
            Some(examples) => Msg::Gallery { examples, wanted: address() },
            None => Msg::Broken("the list of examples cannot be read".to_owned()),
        });
    });
}

impl App {
    /// Changes the state and does what follows from it.
    pub fn send(self, msg: Msg) {
        let mut commands = Vec::new();
        if let Msg::Frame(_) = msg {
            // A frame alone changes nothing that can be seen.
            self.model.try_update_untracked(|m| commands = update(m, msg));
        } else {
            self.model.update(|m| commands = update(m, msg));
            self.pace();
        }
        let restarts = commands.contains(&Command::RestartWorker);
        let work = move || commands.into_iter().for_each(|c| self.run(c));
        if restarts {
            // The worker's own callback may be running: it must end before the worker does.
            spawn_local(async move { work() });
        } else {
            work();
        }
        if self.model.with_untracked(|m| m.play != Play::Paused) && !LOOPING.replace(true) {
            LAST_FRAME.set(now());
            self.frame_loop();
        }
    }

    /// A memo that is built anew when tables are redrawn.
    pub fn table<T: PartialEq + Send + Sync + 'static>(
        self,
        build: impl Fn(&Model) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| {
            self.slow.track();
            self.model.with_untracked(&build)
        })
    }

    /// A memo that follows every change.
    pub fn memo<T: PartialEq + Send + Sync + 'static>(
        self,
        build: impl Fn(&Model) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| self.model.with(&build))
    }

    fn pace(self) {
        let playing = self.model.with_untracked(|m| m.play != Play::Paused);
        let now = now();
        if !playing || now - DRAWN.get() >= TABLE_PAUSE_MS {
            DRAWN.set(now);
            self.slow.update(|n| *n = n.wrapping_add(1));
        }
    }

    fn frame_loop(self) {
        request_animation_frame(move || {
            if self.model.with_untracked(|m| m.play == Play::Paused) {
                LOOPING.set(false);
                return;
            }
            let now = now();
            let passed = now - LAST_FRAME.replace(now);
            self.send(Msg::Frame(passed));
            self.frame_loop();
        });
    }

    fn start_worker(self) {
        let client = Client::start(Rc::new(move |msg| self.send(msg)));
        match client {
            Ok(client) => CLIENT.with(|c| *c.borrow_mut() = Some(client)),
            Err(e) => self.send(Msg::Broken(format!("this browser has no module workers: {e:?}"))),
        }
    }

    fn run(self, command: Command) {
        match command {
            Command::RestartWorker => {
                CLIENT.with(|c| c.borrow_mut().take());
                self.start_worker();
            }
            Command::Fetch(file) => spawn_local(async move {
                self.send(match fetch(&format!("./examples/{file}")).await {
                    Ok(text) => Msg::Text { file, text },
                    Err(why) => Msg::Broken(format!("examples/{file} cannot be read: {why}")),
                });
            }),
            Command::Address(file) => {
                let hash = format!("#/example/{file}");
                if window().location().hash().ok().as_ref() != Some(&hash) {
                    let _ = window().location().set_hash(&hash);
                }
            }
            command => {
                let sent = CLIENT.with(|c| c.borrow().as_ref().map(|c| c.send(&command)));
                if let Some(Err(e)) = sent {
                    self.send(Msg::Broken(format!("the worker cannot be reached: {e:?}")));
                }
            }
        }
    }

    /// The browser's Back and Forward choose examples too.
    fn follow_address(self) {
        let changed = Closure::<dyn FnMut()>::new(move || {
            if let Some(file) = address()
                && self
                    .model
                    .with_untracked(|m| m.file != file && m.examples.iter().any(|e| e.file == file))
            {
                self.send(Msg::Choose(file));
            }
        });
        let listener = changed.as_ref().unchecked_ref();
        let _ = window().add_event_listener_with_callback("hashchange", listener);
        changed.forget();
    }
}

/// The example the address asks for.
fn address() -> Option<String> {
    let hash = window().location().hash().ok()?;
    hash.strip_prefix("#/example/").map(str::to_owned)
}

fn now() -> f64 {
    window().performance().map_or(0.0, |p| p.now())
}

/// A file of the page as text.
async fn fetch(url: &str) -> Result<String, String> {
    let told = |e: JsValue| format!("{e:?}");
    let answer = JsFuture::from(window().fetch_with_str(url)).await.map_err(told)?;
    let answer: Response = answer.dyn_into().map_err(told)?;
    if !answer.ok() {
        return Err(format!("{} {}", answer.status(), answer.status_text()));
    }
    let text = JsFuture::from(answer.text().map_err(told)?).await.map_err(told)?;
    text.as_string().ok_or_else(|| "it is no text".to_owned())
}
