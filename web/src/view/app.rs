//! The page's layout: lesson to the left, pictures in the middle, tables to the right, controls below.

use leptos::prelude::*;

use super::{
    app, editor, events, graph, header, help, late, lesson, plane, recovery, rows, transport,
};
use crate::model::Phase;

/// The page.
#[component]
pub(super) fn Page() -> impl IntoView {
    let app = app();
    let phase = app.memo(|m| m.phase.clone());
    let said = app.memo(|m| m.announcement.clone());
    view! {
        <a class="skip" href="#timeline">"Skip to the controls"</a>
        <header::Header />
        <main>
            <Notice phase />
            <Text />
            <div class="middle">
                <plane::Plane />
                <graph::Graph />
            </div>
            <Tables />
        </main>
        <transport::Transport />
        <help::Help />
        <p class="aside" role="status" aria-live="polite">{said}</p>
    }
}

/// What is in the way of a run, if anything is.
#[component]
fn Notice(phase: Memo<Phase>) -> impl IntoView {
    move || {
        let text = match phase.get() {
            Phase::Starting => "Loading …".to_owned(),
            Phase::Opening => "Opening the scenario …".to_owned(),
            Phase::Broken(why) => format!("The page cannot go on: {why}. Reload to try again."),
            Phase::Ready | Phase::Refused => return None,
        };
        Some(view! { <p class="notice" role="status">{text}</p> })
    }
}

/// The lesson, or the scenario it is written in.
#[component]
fn Text() -> impl IntoView {
    let app = app();
    let editing = RwSignal::new(false);
    let wrong = app.memo(|m| m.problems.len());
    let edited = app.memo(|m| m.edited());
    // A text that cannot run is shown where it can be mended.
    let refused = app.memo(|m| m.phase == Phase::Refused);
    Effect::new(move |_| {
        if refused.get() {
            editing.set(true);
        }
    });
    let badge = move || match (wrong.get(), edited.get()) {
        (0, false) => String::new(),
        (0, true) => " (edited)".to_owned(),
        (1, _) => " (1 problem)".to_owned(),
        (n, _) => format!(" ({n} problems)"),
    };
    view! {
        <section class="panel text" aria-label="Lesson and scenario">
            <div class="tabs" role="tablist">
                <Tab label="Lesson" on=Signal::derive(move || !editing.get()) pick=move || editing.set(false) />
                <Tab
                    label="Scenario"
                    badge=Signal::derive(badge)
                    on=Signal::derive(move || editing.get())
                    pick=move || editing.set(true)
                />
            </div>
            <Show when=move || editing.get() fallback=|| view! { <lesson::Lesson /> }>
                <editor::Editor />
            </Show>
        </section>
    }
}

/// Which table the lower right corner shows.
#[derive(Clone, Copy, PartialEq)]
enum Corner {
    Late,
    Recovery,
    Trace,
}

#[component]
fn Tables() -> impl IntoView {
    let app = app();
    let corner = RwSignal::new(Corner::Late);
    let late = app.table(|m| m.run.late.len() + m.run.bad.len());
    let crashes = app.table(|m| m.run.recovery.crashes.len());
    // A crash is worth looking at.
    Effect::new(move |before: Option<usize>| {
        let now = crashes.get();
        if before.is_some_and(|b| b < now) {
            corner.set(Corner::Recovery);
        }
        now
    });
    let count = |n: usize| if n == 0 { String::new() } else { format!(" {n}") };
    let on = move |c: Corner| Signal::derive(move || corner.get() == c);
    view! {
        <div class="right">
            <rows::Rows />
            <section class="panel corner" aria-label="Late drops, recovery, trace">
                <div class="tabs" role="tablist">
                    <Tab
                        label="Late drops"
                        badge=Signal::derive(move || count(late.get()))
                        on=on(Corner::Late)
                        pick=move || corner.set(Corner::Late)
                    />
                    <Tab
                        label="Recovery"
                        badge=Signal::derive(move || count(crashes.get()))
                        on=on(Corner::Recovery)
                        pick=move || corner.set(Corner::Recovery)
                    />
                    <Tab label="Trace" on=on(Corner::Trace) pick=move || corner.set(Corner::Trace) />
                </div>
                {move || match corner.get() {
                    Corner::Late => view! { <late::Late /> }.into_any(),
                    Corner::Recovery => view! { <recovery::Recovery /> }.into_any(),
                    Corner::Trace => view! { <events::Events /> }.into_any(),
                }}
            </section>
        </div>
    }
}

/// One tab.
#[component]
fn Tab(
    label: &'static str,
    #[prop(optional, into)] badge: Signal<String>,
    on: Signal<bool>,
    pick: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            type="button"
            role="tab"
            class="tab"
            aria-selected=move || if on.get() { "true" } else { "false" }
            on:click=move |_| pick()
        >
            {label}
            <span class="badge">{badge}</span>
        </button>
    }
}
