//! The trace as a list of which only the part in sight is built.

use leptos::html;
use leptos::prelude::*;

use super::app;
use crate::panel::events::{TraceLine, lines, names, total};
use crate::update::Msg;

/// A line's height in pixels, as in the style sheet.
const LINE: i32 = 20;
/// Lines built above and below what is in sight.
const MARGIN: usize = 10;

/// The trace.
#[component]
pub(super) fn Events() -> impl IntoView {
    let app = app();
    let holder = NodeRef::<html::Div>::new();
    let top = RwSignal::new(0_i32);
    let height = RwSignal::new(600_i32);
    let count = app.table(total);
    let first =
        Memo::new(move |_| usize::try_from(top.get() / LINE).unwrap_or(0).saturating_sub(MARGIN));
    let shown = Memo::new(move |_| {
        app.slow.track();
        let many = usize::try_from(height.get() / LINE).unwrap_or(0) + 2 * MARGIN;
        app.model.with_untracked(|m| lines(m, first.get(), many))
    });
    // The cursor is at the end of the list: it stays in sight.
    Effect::new(move |_| {
        let count = count.get();
        if let Some(holder) = holder.get() {
            height.set(holder.client_height());
            let end = i32::try_from(count).unwrap_or(i32::MAX / LINE).saturating_mul(LINE);
            request_animation_frame(move || holder.set_scroll_top(end));
        }
    });
    let line = move |l: TraceLine| {
        let step = l.step;
        let current = l.current;
        view! {
            <li>
                <button type="button" class=format!("event {}", l.name) class:current=current on:click=move |_| app.send(Msg::Seek(step))>
                    {l.text}
                </button>
            </li>
        }
    };
    view! {
        <Filters />
        <div
            class="scroll trace"
            node_ref=holder
            tabindex="0"
            aria-label="Trace up to the cursor"
            on:scroll=move |_| {
                if let Some(h) = holder.get_untracked() {
                    top.set(h.scroll_top());
                    height.set(h.client_height());
                }
            }
        >
            <div class="long" style:height=move || format!("{}px", count.get() * LINE as usize)>
                <ul style:transform=move || format!("translateY({}px)", first.get() * LINE as usize)>
                    <For each=move || shown.get() key=|l| (l.pos, l.current) children=line />
                </ul>
            </div>
        </div>
    }
}

#[component]
fn Filters() -> impl IntoView {
    let app = app();
    let kinds = app.table(names);
    let tasks =
        app.table(|m| m.run.header.tasks.iter().map(|t| t.name.clone()).collect::<Vec<_>>());
    let name = app.memo(|m| m.filter.name.clone().unwrap_or_default());
    let text = app.memo(|m| m.filter.text.clone());
    let some = |v: String| (!v.is_empty()).then_some(v);
    view! {
        <div class="bar filters">
            <select aria-label="Only events of a kind" prop:value=name on:change=move |e| app.send(Msg::FilterName(some(event_target_value(&e))))>
                <option value="">"all events"</option>
                <For each=move || kinds.get() key=|k| *k let:kind><option value=kind>{kind}</option></For>
            </select>
            <select aria-label="Only events of a task" on:change=move |e| app.send(Msg::FilterTask(event_target_value(&e).parse().ok()))>
                <option value="">"all tasks"</option>
                <For each=move || tasks.get().into_iter().enumerate() key=Clone::clone let:task>
                    <option value=task.0.to_string()>{task.1.clone()}</option>
                </For>
            </select>
            <input type="search" placeholder="text" aria-label="Only lines with this text" prop:value=text on:input=move |e| app.send(Msg::FilterText(event_target_value(&e))) />
        </div>
    }
}
