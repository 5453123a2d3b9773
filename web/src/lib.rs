//! The Highwater playground: a page that plays, seeks and explains simulated streams.
//!
//! `answer` reads what the engine says, `run` holds what is known of a run, `model` all of the page's
//! state, `update` every change to it; `panel` turns the state into what a panel shows, `view` and
//! `charts` into what is seen.

pub mod answer;
pub mod charts;
pub mod highlight;
pub mod lesson;
pub mod model;
pub mod panel;
pub mod run;
#[cfg(test)]
mod sample;
pub mod update;
pub mod view;
pub mod words;
pub mod worker_client;

use wasm_bindgen::prelude::wasm_bindgen;

/// Called when the module has been loaded.
#[wasm_bindgen(start)]
pub fn start() {
    view::start();
}
