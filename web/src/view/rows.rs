//! Output rows, a table for each sink.

use leptos::prelude::*;

use super::app;
use crate::model::{Model, Play};
use crate::panel::rows::{RowLine, SinkView, build};
use crate::run::RowState;
use crate::update::Msg;

/// The output rows.
#[component]
pub(super) fn Rows() -> impl IntoView {
    let app = app();
    let chosen = RwSignal::new(0_usize);
    let sinks = app.table(|m| build(m, limit(m)));
    let names =
        Memo::new(move |_| sinks.with(|s| s.iter().map(|v| v.name.clone()).collect::<Vec<_>>()));
    let sink = Memo::new(move |_| {
        sinks.with(|s| {
            s.get(chosen.get().min(s.len().saturating_sub(1))).cloned().unwrap_or_default()
        })
    });
    let tabs = move || {
        let tab = |(i, name): (usize, String)| {
            let on = move || if chosen.get() == i { "true" } else { "false" };
            view! {
                <button type="button" class="tab small" role="tab" aria-selected=on on:click=move |_| chosen.set(i)>
                    {name}
                </button>
            }
        };
        names.get().into_iter().enumerate().map(tab).collect_view()
    };
    let summary = move || sink.with(|s| s.summary.clone());
    view! {
        <section class="panel rows" aria-label="Output rows">
            <div class="caption">
                <h2>"Output"</h2>
                <div class="tabs inline" role="tablist">{tabs}</div>
                <span class="summary">{summary}</span>
            </div>
            <Table sink />
        </section>
    }
}

/// While it plays, only what can be seen is built.
pub(super) fn limit(m: &Model) -> usize {
    if m.play == Play::Paused { 400 } else { 40 }
}

#[component]
fn Table(sink: Memo<SinkView>) -> impl IntoView {
    let app = app();
    let updating = Memo::new(move |_| sink.with(|s| s.updating));
    let head = Memo::new(move |_| sink.with(|s| s.columns.clone()));
    let lines = move || sink.with(|s| s.lines.clone());
    let line = move |l: RowLine| {
        let (state, again) = (l.state, l.again);
        let step = l.step;
        let word = match (state, again) {
            (RowState::Committed, false) => "committed",
            (RowState::Committed, true) => "committed again",
            (RowState::Staged, false) => "staged",
            (RowState::Staged, true) => "staged again",
            (RowState::Lost, _) => "lost",
            (RowState::Known, _) => "there already",
        };
        let sign = match (state, again) {
            (RowState::Committed, false) => "✓",
            (RowState::Committed, true) => "✓ again",
            (RowState::Staged, false) => "…",
            (RowState::Staged, true) => "… again",
            (RowState::Lost, _) => "✕",
            (RowState::Known, _) => "=",
        };
        let cell = |c: Option<String>| match c {
            Some(text) => view! { <td>{text}</td> }.into_any(),
            None => view! { <td class="null">"NULL"</td> }.into_any(),
        };
        let kind = l.kind;
        view! {
            <tr
                class="row"
                class:staged=state == RowState::Staged
                class:lost=state == RowState::Lost || state == RowState::Known
                class:again=again
            >
                <td class="state">
                    <button type="button" class="state" title=format!("{word}: go to step {step}")
                        aria-label=word on:click=move |_| app.send(Msg::Seek(step))>
                        {sign}
                    </button>
                </td>
                {move || updating.get().then(|| view! { <td class="kind">{kind}</td> })}
                {l.cells.into_iter().map(cell).collect_view()}
            </tr>
        }
    };
    view! {
        <div class="scroll" tabindex="0" aria-label="Rows, newest first">
            <table>
                <thead>
                    <tr>
                        <th><span class="hidden">"state"</span></th>
                        {move || updating.get().then(|| view! { <th>"op"</th> })}
                        {move || head.get().into_iter().map(|c| view! { <th>{c}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    <For each=lines key=|l| (l.pos, l.state as u8) children=line />
                </tbody>
            </table>
            <Show when=move || sink.with(|s| s.lines.is_empty())>
                <p class="empty">"No rows yet. A row appears when a window fires, and becomes visible to readers with the next checkpoint."</p>
            </Show>
        </div>
    }
}
