//! The page's head: the gallery, the seed, and what identifies the run.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::{App, app};
use crate::model::Example;
use crate::update::Msg;
use crate::words;

/// The head.
#[component]
pub(super) fn Header() -> impl IntoView {
    let app = app();
    let step = app.memo(|m| words::number(m.step()));
    let at = app.memo(|m| words::virtual_time(m.now()));
    let hash = app.memo(|m| match m.wanted {
        Some(_) => "…".to_owned(),
        None => m.status.hash.clone(),
    });
    view! {
        <header class="head">
            <h1 class="brand"><img src="icon.svg" alt="" width="26" height="26" />"Highwater"</h1>
            <Gallery />
            <dl class="facts">
                <div><dt>"Step"</dt><dd class="number">{step}</dd></div>
                <div><dt>"Virtual time"</dt><dd class="number">{at}</dd></div>
                <div><dt>"Seed"</dt><dd><Seed /></dd></div>
                <div class="hash"><dt>"Trace hash"</dt><dd><code>{hash}</code></dd></div>
            </dl>
            <div class="tools">
                <button
                    type="button"
                    class="plain"
                    title="Light or dark"
                    aria-label="Switch between light and dark"
                    on:click=move |_| switch_theme(app)
                >
                    {move || if app.dark.get() { "☀" } else { "☾" }}
                </button>
                <button
                    type="button"
                    class="plain"
                    title="Keys and signs (?)"
                    aria-label="Keys and signs"
                    on:click=move |_| super::help::open()
                >
                    "?"
                </button>
            </div>
        </header>
    }
}

#[component]
fn Gallery() -> impl IntoView {
    let app = app();
    let examples = app.memo(|m| m.examples.clone());
    let title = app.memo(|m| {
        let open = m.examples.iter().find(|e| e.file == m.file);
        open.map_or_else(|| m.file.clone(), |e| e.title.clone())
    });
    let folded = NodeRef::<leptos::html::Details>::new();
    let choose = move |file: String| {
        if let Some(details) = folded.get_untracked() {
            details.set_open(false);
        }
        app.send(Msg::Choose(file));
    };
    let card = move |e: Example| {
        let file = e.file.clone();
        let is_open = {
            let file = e.file.clone();
            app.memo(move |m| m.file == file)
        };
        view! {
            <li>
                <button
                    type="button"
                    class="card"
                    aria-current=move || is_open.get().then_some("true")
                    on:click=move |_| choose(file.clone())
                >
                    <strong>{e.title}</strong>
                    <span>{e.summary}</span>
                </button>
            </li>
        }
    };
    view! {
        <details class="gallery" node_ref=folded>
            <summary><span class="label">"Example"</span><span class="title">{title}</span></summary>
            <ul class="cards">
                <For each=move || examples.get() key=|e| e.file.clone() children=card />
            </ul>
        </details>
    }
}

#[component]
fn Seed() -> impl IntoView {
    let app = app();
    let seed = app.memo(|m| m.seed.unwrap_or(m.run.header.seed).to_string());
    view! {
        <input
            class="seed"
            type="text"
            inputmode="numeric"
            aria-label="Seed of the schedule"
            prop:value=seed
            on:change=move |e| app.send(Msg::Seed(event_target_value(&e)))
        />
    }
}

/// What the visitor chose before, or else what the system prefers.
pub(super) fn starts_dark() -> bool {
    let stored = window().local_storage().ok().flatten().and_then(|s| s.get_item("theme").ok()?);
    if let Some(theme) = &stored {
        set_theme(theme);
    }
    let prefers = || {
        let query = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
        query.is_some_and(|q| q.matches())
    };
    stored.map_or_else(prefers, |t| t == "dark")
}

fn switch_theme(app: App) {
    let dark = !app.dark.get_untracked();
    app.dark.set(dark);
    let theme = if dark { "dark" } else { "light" };
    set_theme(theme);
    // A browser may forbid storage; the choice then lasts as long as the page.
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item("theme", theme);
    }
}

fn set_theme(theme: &str) {
    if let Some(root) = document().document_element()
        && let Some(root) = root.dyn_ref::<HtmlElement>()
    {
        let _ = root.set_attribute("data-theme", theme);
    }
}
