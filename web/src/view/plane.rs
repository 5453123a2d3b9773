//! The time plane on two canvases: axes below, which seldom change, and what moves above.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlCanvasElement, ResizeObserver};

use super::{App, app};
use crate::charts::palette::{DARK, LIGHT};
use crate::charts::plane::{Frame, axes, marks};
use crate::charts::{Commands, Palette};
use crate::model::Play;
use crate::panel::plane::{PlaneView, build, table};
use crate::update::Msg;

/// The most records the table view shows.
const TABLE_ROWS: usize = 300;
/// The figure's name in the model.
const FIGURE: &str = "plane";

#[wasm_bindgen(raw_module = "./canvas.js")]
extern "C" {
    fn paint(canvas: &HtmlCanvasElement, width: u32, height: u32, data: &[f32], strings: &str);
}

/// What the axes depend on: domain, size, the theme's paper.
type Ground = ([f64; 4], (u32, u32), &'static str);

/// What was drawn last, to find records again and to leave the axes alone.
#[derive(Default)]
struct Drawn {
    frame: Frame,
    axes: Option<Ground>,
    view: PlaneView,
}

/// The time plane.
#[component]
pub(super) fn Plane() -> impl IntoView {
    let app = app();
    let as_table = app.memo(|m| m.table_views.contains(FIGURE));
    let summary = app.table(|m| build(m).summary);
    view! {
        <figure class="panel plane" aria-label="Time plane">
            <figcaption class="caption">
                <h2>"Time plane"</h2>
                <span class="summary">{summary}</span>
                <Choices />
                <button
                    type="button"
                    class="plain small"
                    aria-pressed=move || if as_table.get() { "true" } else { "false" }
                    on:click=move |_| app.send(Msg::ToggleTable(FIGURE))
                >
                    "Table"
                </button>
            </figcaption>
            <Show when=move || as_table.get() fallback=|| view! { <Picture /> }>
                <Records />
            </Show>
            <Inspector />
        </figure>
    }
}

/// Whose windows are shown.
#[component]
fn Choices() -> impl IntoView {
    let app = app();
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let operators = app.memo(move |m| owned(m.run.waiting_operators()));
    let operator = app.memo(|m| m.shown_operator().unwrap_or_default().to_owned());
    let keys = app.table(move |m| owned(m.run.windows.keys(|t| m.shows_task(t))));
    let key = app.memo(|m| m.key.clone().unwrap_or_default());
    let choose = move |e| {
        let key = event_target_value(&e);
        app.send(Msg::Key((!key.is_empty()).then_some(key)));
    };
    view! {
        <Show when=move || operators.with(|o| o.len() > 1)>
            <label class="key">
                <span class="hidden">"Operator"</span>
                <select prop:value=operator on:change=move |e| app.send(Msg::Operator(event_target_value(&e)))>
                    <For each=move || operators.get() key=Clone::clone let:name>
                        <option value=name.clone()>{name.clone()}</option>
                    </For>
                </select>
            </label>
        </Show>
        <Show when=move || keys.with(|k| k.len() > 1)>
            <label class="key">
                <span class="hidden">"Windows of key"</span>
                <select on:change=choose prop:value=key>
                    <option value="">"all keys"</option>
                    <For each=move || keys.get() key=Clone::clone let:key>
                        <option value=key.clone()>{key.clone()}</option>
                    </For>
                </select>
            </label>
        </Show>
    }
}

#[component]
fn Picture() -> impl IntoView {
    let app = app();
    let holder = NodeRef::<html::Div>::new();
    let below = NodeRef::<html::Canvas>::new();
    let above = NodeRef::<html::Canvas>::new();
    let size = RwSignal::new((0_u32, 0_u32));
    let drawn: Rc<RefCell<Drawn>> = Rc::default();
    watch_size(holder, size);
    let state = Rc::clone(&drawn);
    Effect::new(move |_| {
        let (size, palette) = (size.get(), if app.dark.get() { &DARK } else { &LIGHT });
        let view = app.model.with(build);
        if let (Some(below), Some(above)) = (below.get(), above.get())
            && size.0 > 0
        {
            draw(&mut state.borrow_mut(), view, size, palette, (&below, &above));
        }
    });
    let near = move |e: &web_sys::PointerEvent| {
        let drawn = drawn.borrow();
        drawn.frame.nearest(&drawn.view, e.offset_x() as f32, e.offset_y() as f32)
    };
    let hover = near.clone();
    view! {
        <div
            class="picture"
            node_ref=holder
            tabindex="0"
            role="group"
            aria-roledescription="chart"
            aria-label="Records by event time and arrival. Arrow keys walk through the records."
            on:pointermove=move |e| {
                let found = hover(&e);
                if found.is_some() && found != app.model.with_untracked(|m| m.inspected) {
                    app.send(Msg::Inspect(found));
                }
            }
            on:pointerdown=move |e| {
                let found = near(&e);
                app.send(Msg::Inspect(found));
            }
            on:keydown=move |e| keys(app, &e)
        >
            <canvas node_ref=below aria-hidden="true"></canvas>
            <canvas node_ref=above aria-hidden="true"></canvas>
        </div>
    }
}

fn draw(
    state: &mut Drawn,
    view: PlaneView,
    size: (u32, u32),
    palette: &Palette,
    (below, above): (&HtmlCanvasElement, &HtmlCanvasElement),
) {
    let ground = (view.domain, size, palette.paper);
    if state.axes != Some(ground) {
        let (commands, frame) = axes(&view, size.0, size.1, palette);
        show(below, &commands);
        (state.frame, state.axes) = (frame, Some(ground));
    }
    show(above, &marks(&view, size, &state.frame, palette));
    state.view = view;
}

fn show(canvas: &HtmlCanvasElement, c: &Commands) {
    paint(canvas, c.size.0, c.size.1, &c.data, &c.strings.join("\u{1f}"));
}

fn watch_size(holder: NodeRef<html::Div>, size: RwSignal<(u32, u32)>) {
    Effect::new(move |_| {
        let Some(element) = holder.get() else { return };
        let measured = element.clone();
        let resized = Closure::<dyn FnMut()>::new(move || {
            let new =
                (measured.client_width().max(0) as u32, measured.client_height().max(0) as u32);
            if size.try_get_untracked().is_some_and(|old| old != new) {
                size.set(new);
            }
        });
        if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&element);
        }
        // It lives as long as the element it watches.
        resized.forget();
    });
}

fn keys(app: App, e: &web_sys::KeyboardEvent) {
    let by = if e.shift_key() { 100 } else { 1 };
    let msg = match e.key().as_str() {
        "ArrowRight" | "ArrowUp" => Msg::InspectBy(by),
        "ArrowLeft" | "ArrowDown" => Msg::InspectBy(-by),
        "Home" => Msg::Inspect(Some(0)),
        "End" => Msg::InspectBy(i64::MAX),
        "Escape" => Msg::Inspect(None),
        " " if app.model.with_untracked(|m| m.play == Play::Paused) => Msg::Play,
        " " => Msg::Pause,
        "Enter" => {
            let step = app.model.with_untracked(|m| Some(m.run.marks.all.get(m.inspected?)?.step));
            match step {
                Some(step) => Msg::Seek(step),
                None => return,
            }
        }
        _ => return,
    };
    e.prevent_default();
    app.send(msg);
}

/// What there is to say about the inspected record.
#[component]
fn Inspector() -> impl IntoView {
    let app = app();
    let said = app.memo(|m| m.inspected.and_then(|i| crate::panel::plane::inspect(m, i)));
    let content = move || {
        match said.get() {
        None => view! {
            <p class="hint">"Point at a record, or walk with the arrow keys, to see what became of it."</p>
        }
        .into_any(),
        Some(i) => view! {
            <p class="line" title=i.row.clone()><strong>{i.title}</strong>" "<code>{i.row.clone()}</code></p>
            <p>{i.lines.join(" ")}</p>
        }
        .into_any(),
    }
    };
    view! { <div class="inspector scroll" aria-live="polite">{content}</div> }
}

#[component]
fn Records() -> impl IntoView {
    let app = app();
    let rows = app.table(|m| table(m, TABLE_ROWS));
    view! {
        <div class="scroll records" tabindex="0" aria-label="Records, newest first">
            <table>
                <thead>
                    <tr><th>"Record"</th><th>"Event time"</th><th>"Arrival"</th><th>"Fate"</th></tr>
                </thead>
                <tbody>
                    <For each=move || rows.get() key=Clone::clone let:row>
                        <tr>{row.map(|cell| view! { <td>{cell}</td> })}</tr>
                    </For>
                </tbody>
            </table>
        </div>
    }
}
