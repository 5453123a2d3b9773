//! The controls: play, step, speed, the scrubber, crashes.

use leptos::prelude::*;

use super::{App, app};
use crate::model::{Model, Phase, Play};
use crate::update::Msg;
use crate::words;

/// The controls.
#[component]
pub(super) fn Transport() -> impl IntoView {
    let app = app();
    let ready = app.memo(|m| m.phase == Phase::Ready);
    let idle = move || !ready.get();
    let playing = app.memo(|m| m.play != Play::Paused);
    let toggle = move |_| app.send(if playing.get_untracked() { Msg::Pause } else { Msg::Play });
    view! {
        <section
            id="timeline"
            class="transport"
            tabindex="0"
            aria-label="Timeline"
            on:keydown=move |e| keys(app, &e)
        >
            <Scrubber />
            <div class="controls">
                <div class="group">
                    <Push label="Restart" sign="❙◀◀" off=Signal::derive(idle) does=move || app.send(Msg::Restart) />
                    <Push label="Step back" sign="❙◀" off=Signal::derive(idle) does=move || app.send(Msg::StepBy(-1)) />
                    <button type="button" class="main play" disabled=idle on:click=toggle>
                        {move || if playing.get() { "❚❚ Pause" } else { "▶ Play" }}
                    </button>
                    <Push label="Step" sign="▶❙" off=Signal::derive(idle) does=move || app.send(Msg::StepBy(1)) />
                    <Push label="Run to the end" sign="▶▶❙" off=Signal::derive(idle) does=move || app.send(Msg::ToEnd) />
                </div>
                <Speed />
                <Crash />
                <CommandLine />
            </div>
        </section>
    }
}

/// A button with a sign.
#[component]
fn Push(
    label: &'static str,
    sign: &'static str,
    off: Signal<bool>,
    does: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button type="button" class="sign-button" title=label aria-label=label disabled=move || off.get() on:click=move |_| does()>
            {sign}
        </button>
    }
}

fn keys(app: App, e: &web_sys::KeyboardEvent) {
    use wasm_bindgen::JsCast;
    let tag = e.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok()).map(|t| t.tag_name());
    let tag = tag.as_deref().unwrap_or_default();
    // Fields and lists need their keys themselves, and a button is pressed by Space.
    let own = matches!(tag, "INPUT" | "SELECT" | "TEXTAREA");
    if own || (tag == "BUTTON" && matches!(e.key().as_str(), " " | "Enter")) {
        return;
    }
    let by = if e.shift_key() { 100 } else { 1 };
    let msg = match e.key().as_str() {
        " " if app.model.with_untracked(|m| m.play == Play::Paused) => Msg::Play,
        " " => Msg::Pause,
        "ArrowRight" => Msg::StepBy(by),
        "ArrowLeft" => Msg::StepBy(-by),
        "Home" => Msg::Seek(0),
        "End" => Msg::Seek(app.model.with_untracked(Model::horizon)),
        _ => return,
    };
    e.prevent_default();
    app.send(msg);
}

#[component]
fn Scrubber() -> impl IntoView {
    let app = app();
    let step = app.memo(Model::step);
    let end = app.memo(Model::horizon);
    let finished = app.memo(|m| m.status.finished || m.run.known_step() < m.horizon());
    let seek = move |text: String| {
        if let Ok(step) = text.trim().parse::<f64>() {
            app.send(Msg::Seek(step.max(0.0) as u64));
        }
    };
    let scrubbed = move |e| seek(event_target_value(&e));
    let typed = move |e| seek(event_target_value(&e));
    view! {
        <div class="scrubber">
            <label class="at">
                "Step "
                <input type="number" min="0" aria-label="Go to step" prop:value=move || step.get().to_string() on:change=typed />
            </label>
            <div class="rail">
                <Ticks />
                <input
                    type="range"
                    min="0"
                    step="1"
                    aria-label="Step"
                    aria-valuetext=move || format!("step {} of {}", step.get(), end.get())
                    prop:max=move || end.get().max(1).to_string()
                    prop:value=move || { end.track(); step.get().to_string() }
                    on:input=scrubbed
                />
            </div>
            <span class="number end" title="The furthest step known">
                {move || words::number(end.get())}
                {move || if finished.get() { "" } else { " …" }}
            </span>
        </div>
    }
}

/// Checkpoints and crashes on the rail.
#[component]
fn Ticks() -> impl IntoView {
    let app = app();
    let ticks = app.table(|m| {
        let end = m.horizon().max(1) as f64;
        let share = |step: u64| (step as f64 * 10_000.0 / end) as u32;
        let r = &m.run.recovery;
        let complete = r.checkpoints.iter().filter(|c| c.complete.is_some());
        let mut all: Vec<(u32, bool)> = complete.map(|c| (share(c.step), false)).collect();
        all.extend(r.crashes.iter().map(|c| (share(c.step), true)));
        all
    });
    let line = |(at, crash): (u32, bool)| {
        let x = (f64::from(at) / 10.0).to_string();
        view! { <line x1=x.clone() x2=x y1="0" y2="10" class=if crash { "crash" } else { "complete" } vector-effect="non-scaling-stroke" /> }
    };
    view! {
        <svg class="ticks" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
            {move || ticks.get().into_iter().map(line).collect_view()}
        </svg>
    }
}

#[component]
fn Speed() -> impl IntoView {
    let app = app();
    // Each notch is a tenth of a power of ten: from 1 to 10,000 steps a second.
    let notch = app.memo(|m| (m.speed.log10() * 10.0).round().to_string());
    let text = app.memo(|m| format!("{} steps/s", words::number(m.speed.round() as u64)));
    let changed = move |e| {
        if let Ok(notch) = event_target_value(&e).parse::<f64>() {
            app.send(Msg::Speed(10_f64.powf(notch / 10.0).round()));
        }
    };
    view! {
        <label class="speed">
            <span>"Speed"</span>
            <input type="range" min="0" max="40" step="1" prop:value=notch aria-valuetext=text on:input=changed />
            <span class="number">{text}</span>
        </label>
    }
}

#[component]
fn Crash() -> impl IntoView {
    let app = app();
    let tasks = app.memo(|m| m.run.header.tasks.iter().map(|t| t.name.clone()).collect::<Vec<_>>());
    let chosen = RwSignal::new(None::<u16>);
    // A task in the middle of the pipeline has most to lose.
    let victim = move || {
        chosen.get().unwrap_or_else(|| u16::try_from(tasks.with(Vec::len) / 2).unwrap_or(0))
    };
    let possible = app.memo(|m| m.phase == Phase::Ready && !m.at_end() && m.step() > 0);
    view! {
        <div class="group crash">
            <label>
                <span class="hidden">"Task to crash"</span>
                <select prop:value=move || victim().to_string() on:change=move |e| chosen.set(event_target_value(&e).parse().ok())>
                    <For each=move || tasks.get().into_iter().enumerate() key=Clone::clone let:task>
                        <option value=task.0.to_string() selected=move || usize::from(victim()) == task.0>{task.1.clone()}</option>
                    </For>
                </select>
            </label>
            <button type="button" class="danger" disabled=move || !possible.get() on:click=move |_| app.send(Msg::CrashTask(victim()))>
                "✕ Crash it now"
            </button>
            <Strike possible />
        </div>
    }
}

/// Any fault of the engine's list, whomever it can strike here.
#[component]
fn Strike(#[prop(into)] possible: Signal<bool>) -> impl IntoView {
    let app = app();
    let fault = RwSignal::new(String::new());
    let examples = app.memo(|m| m.faults.clone());
    view! {
        <form class="strike" on:submit=move |e| {
            e.prevent_default();
            if possible.get_untracked() {
                app.send(Msg::Strike(fault.get_untracked()));
            }
        }>
            <label>
                <span class="hidden">"Another fault"</span>
                <input type="text" list="faults" placeholder="another fault" autocomplete="off" spellcheck="false"
                    prop:value=fault on:input=move |e| fault.set(event_target_value(&e)) />
            </label>
            <datalist id="faults">
                <For each=move || examples.get() key=Clone::clone let:example>
                    <option value=example.clone()></option>
                </For>
            </datalist>
            <button type="submit" class="plain" disabled=move || !possible.get() || fault.with(|f| f.trim().is_empty())>
                "Strike"
            </button>
        </form>
    }
}

/// The same run at a shell's prompt.
#[component]
fn CommandLine() -> impl IntoView {
    let app = app();
    let line = app.memo(Model::command_line);
    let copied = RwSignal::new(false);
    let copy = move |_| {
        // A browser may refuse; the text can be marked by hand then.
        let _ = window().navigator().clipboard().write_text(&line.get_untracked());
        copied.set(true);
        set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
    };
    view! {
        <div class="shell">
            <code>{line}</code>
            <button type="button" class="plain small" on:click=copy>{move || if copied.get() { "Copied" } else { "Copy" }}</button>
        </div>
    }
}
