//! Checkpoints and crashes.

use leptos::prelude::*;

use super::app;
use crate::panel::recovery::{Entry, build};
use crate::update::Msg;

/// Checkpoints and crashes.
#[component]
pub(super) fn Recovery() -> impl IntoView {
    let app = app();
    let recovery = app.table(|m| build(m, super::rows::limit(m)));
    let entry = move |e: Entry| {
        let step = e.step;
        let progress = e.progress.map(|(done, of)| {
            view! {
                <progress value=done.to_string() max=of.to_string()></progress>
                <span>{format!("{done} of {of} tasks have written their state")}</span>
            }
        });
        let lines = e.lines.into_iter().map(|l| view! { <span>{l}</span> }).collect_view();
        view! {
            <li>
                <button type="button" class=format!("moment {}", e.kind) on:click=move |_| app.send(Msg::Seek(step))>
                    <span class="first"><strong>{e.title}</strong><span class="tag">{e.kind}</span><time>{e.at}</time></span>
                    {progress}
                    {lines}
                </button>
            </li>
        }
    };
    view! {
        <div class="scroll" tabindex="0" aria-label="Checkpoints and crashes, newest first">
            <p class="summary">{move || recovery.with(|r| r.summary.clone())}</p>
            <ul class="list">
                <For
                    each=move || recovery.with(|r| r.entries.clone())
                    key=|e| (e.pos, e.kind, e.lines.clone())
                    children=entry
                />
            </ul>
        </div>
    }
}
