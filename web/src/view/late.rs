//! Late drops with their reasons, and records that could not be read.

use leptos::prelude::*;

use super::app;
use crate::panel::late::{LateLine, build};
use crate::update::Msg;

/// The late drops.
#[component]
pub(super) fn Late() -> impl IntoView {
    let app = app();
    let late = app.table(|m| build(m, super::rows::limit(m)));
    let line = move |l: LateLine| {
        let step = l.step;
        view! {
            <li>
                <button type="button" class="drop" title=l.row on:click=move |_| app.send(Msg::Seek(step))>
                    <span class="first">
                        <strong>{format!("record {}", l.seq)}</strong>
                        <span class="tag">{l.key}</span>
                        <span class="by">{format!("late by {}", l.late_by)}</span>
                    </span>
                    <span>{format!("Event time {}. ", l.event_time)}{l.why}</span>
                </button>
            </li>
        }
    };
    view! {
        <div class="scroll" tabindex="0" aria-label="Late drops, newest first">
            <p class="summary">{move || late.with(|l| l.summary.clone())}</p>
            <Show when=move || late.with(|l| !l.bad.is_empty())>
                <h3>"Records that could not be read"</h3>
                <ul class="list">
                    <For each=move || late.with(|l| l.bad.clone()) key=Clone::clone let:bad>
                        <li class="drop"><strong>{bad.0}</strong><span>{bad.1}</span></li>
                    </For>
                </ul>
            </Show>
            <ul class="list">
                <For each=move || late.with(|l| l.lines.clone()) key=|l| l.pos children=line />
            </ul>
        </div>
    }
}
