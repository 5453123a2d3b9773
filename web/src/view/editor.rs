//! The scenario's text: a plain text field over a coloured copy of itself, and what is wrong with it.

use std::time::Duration;

use leptos::prelude::*;

use super::app;
use crate::highlight::pieces;
use crate::model::Problem;
use crate::update::Msg;

/// How long the user must pause before the text is looked at, in milliseconds.
const PAUSE_MS: u64 = 350;

/// The editor.
#[component]
pub(super) fn Editor() -> impl IntoView {
    let app = app();
    let text = app.memo(|m| m.text.clone());
    let problems = app.memo(|m| m.problems.clone());
    let edited = app.memo(|m| m.edited());
    let changed = app.memo(|m| m.text != m.original);
    let field = NodeRef::<leptos::html::Textarea>::new();
    let colours = move || {
        let is_script = app.model.with_untracked(|m| m.file.ends_with(".sql"));
        let parts = problems.with(|p| text.with(|t| pieces(t, is_script, p)));
        parts
            .into_iter()
            .map(|p| {
                let wrong = p.wrong;
                view! { <span class=p.kind.class() class:wrong=wrong>{p.text}</span> }
            })
            .collect_view()
    };
    let mut check = debounce(Duration::from_millis(PAUSE_MS), move |()| app.send(Msg::CheckNow));
    let typed = move |e| {
        app.send(Msg::Edit(event_target_value(&e)));
        check(());
    };
    let keys = move |e: web_sys::KeyboardEvent| {
        if e.key() == "Enter" && (e.ctrl_key() || e.meta_key()) {
            e.prevent_default();
            app.send(Msg::RunText);
        }
    };
    let go = move |place: Option<[u32; 4]>| {
        if let (Some(field), Some(place)) = (field.get_untracked(), place) {
            let at = text.with_untracked(|t| utf16_offset(t, place[0], place[1]));
            let _ = field.focus();
            let _ = field.set_selection_range(at, at);
        }
    };
    view! {
        <div class="editing">
            <div class="scroll sheet">
                <pre class="underlay" aria-hidden="true">{colours}"\n"</pre>
                <textarea
                    node_ref=field
                    aria-label="Scenario"
                    spellcheck="false"
                    autocapitalize="off"
                    autocomplete="off"
                    prop:value=text
                    on:input=typed
                    on:keydown=keys
                ></textarea>
            </div>
            <div class="bar">
                <button type="button" class="main" disabled=move || !edited.get() on:click=move |_| app.send(Msg::RunText)>
                    "Run this text"
                </button>
                <button type="button" disabled=move || !changed.get() on:click=move |_| app.send(Msg::Revert)>
                    "Back to the original"
                </button>
            </div>
            <ul class="problems" aria-label="Problems" aria-live="polite">
                <For
                    each=move || problems.get()
                    key=|p| format!("{p:?}")
                    children=move |p: Problem| {
                        let place = p.place;
                        view! {
                            <li>
                                <button type="button" class="problem" on:click=move |_| go(place)>
                                    <span>{p.line()}</span>
                                    {p.hint.map(|h| view! { <span class="hint">{format!("hint: {h}")}</span> })}
                                </button>
                            </li>
                        }
                    }
                />
            </ul>
        </div>
    }
}

/// Where a line and column lie in a text, as text fields count.
fn utf16_offset(text: &str, line: u32, column: u32) -> u32 {
    let mut offset = 0;
    for (i, content) in text.split_inclusive('\n').enumerate() {
        if i + 1 == line as usize {
            let before = content.chars().take(column.saturating_sub(1) as usize);
            return offset + before.map(char::len_utf16).sum::<usize>() as u32;
        }
        offset += content.encode_utf16().count() as u32;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::utf16_offset;

    #[test]
    fn offsets_count_as_text_fields_do() {
        assert_eq!(utf16_offset("ab\ncd", 2, 2), 4);
        assert_eq!(utf16_offset("😀a\nb", 1, 2), 2);
        assert_eq!(utf16_offset("😀a\nb", 2, 1), 4);
        assert_eq!(utf16_offset("ab", 9, 1), 2);
    }
}
