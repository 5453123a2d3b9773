//! The sheet of keys and signs.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDialogElement;

const KEYS: [(&str, &str); 7] = [
    ("Space", "play or pause, when the timeline or the plane has the focus"),
    ("← →", "a step back or on (timeline); the record before or after (plane)"),
    ("Shift ← →", "a hundred steps"),
    ("Home, End", "the start; the furthest step known"),
    ("Enter", "go to the moment the inspected record arrived (plane)"),
    ("Ctrl Enter", "run the text in the editor"),
    ("?", "this sheet"),
];

/// The sheet, closed.
#[component]
pub(super) fn Help() -> impl IntoView {
    window_event_listener(leptos::ev::keydown, |e| {
        let typing = e
            .target()
            .and_then(|t| t.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|t| matches!(t.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
        if e.key() == "?" && !typing {
            open();
        }
    });
    let keys =
        KEYS.map(|(key, does)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div> });
    view! {
        <dialog id="help" class="help" aria-labelledby="help-title">
            <form method="dialog">
                <h2 id="help-title">"Keys and signs"</h2>
                <dl class="keys">{keys}</dl>
                <h3>"On the time plane"</h3>
                <ul class="signs">
                    <li><i class="sign square"></i>"a record that was counted in time"</li>
                    <li><i class="sign ring"></i>"a record in a window that is still open"</li>
                    <li><i class="sign cross"></i>"a record dropped as late: all its windows had fired"</li>
                    <li><i class="sign stair"></i>"the watermark: nothing to its left is expected any more"</li>
                    <li><i class="sign box"></i>"a window: its span sideways, its life upwards; the thick edge is its result"</li>
                    <li><i class="sign barrier"></i>"a checkpoint, with its number"</li>
                    <li><i class="sign crash"></i>"a crash; shaded while the job was down"</li>
                    <li><i class="sign ideal"></i>"seen the moment it happened"</li>
                </ul>
                <p>"Pale marks were read a second time, after a crash."</p>
                <button type="submit" class="main">"Close"</button>
            </form>
        </dialog>
    }
}

/// Opens the sheet.
pub(super) fn open() {
    let sheet = document().get_element_by_id("help");
    if let Some(sheet) = sheet.and_then(|s| s.dyn_into::<HtmlDialogElement>().ok())
        && !sheet.open()
    {
        let _ = sheet.show_modal();
    }
}
