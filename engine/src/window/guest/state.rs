//! The open windows as bytes, each with the guest's accumulator.

use rkyv::{Archive, Deserialize, Serialize};

use super::GuestWindow;
use super::open::Window;
use crate::error::Result;
use crate::key::KeyGroups;
use crate::snapshot::{Cell, cells, values};
use crate::time::EventTime;
use crate::{archive, unarchive};

#[derive(Archive, Serialize, Deserialize)]
struct State {
    identity: [u8; 32],
    watermark: i64,
    next_window: u64,
    windows: Vec<WindowState>,
}

#[derive(Archive, Serialize, Deserialize)]
struct WindowState {
    key: Vec<Cell>,
    start: i64,
    end: i64,
    number: u64,
    accumulator: Vec<u8>,
}

impl GuestWindow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let windows = self.open.all().into_iter().map(|(key, w)| WindowState {
            key: cells(&key),
            start: w.start,
            end: w.end,
            number: w.number,
            accumulator: self.open.accumulator(w.slot).to_vec(),
        });
        archive!(&State {
            identity: self.guest.module().identity(),
            watermark: self.watermark.0,
            next_window: self.next_window,
            windows: windows.collect(),
        })
    }

    /// Takes in what that says of these keys; `false` when it is of another guest.
    pub(super) fn decode(&mut self, bytes: &[u8], own: KeyGroups) -> Result<bool> {
        let state = unarchive!(State, bytes)?;
        let stride = self.guest.stride() as usize;
        let foreign = state
            .windows
            .iter()
            .any(|w| w.accumulator.len() != stride || !self.keys.fit(&values(&w.key)));
        if foreign || state.identity != self.guest.module().identity() {
            return Ok(false);
        }
        self.watermark = EventTime(state.watermark);
        // Numbers of several subtasks are made different.
        let before = self.next_window;
        self.next_window = before.saturating_add(state.next_window);
        for WindowState { key, start, end, number, accumulator } in state.windows {
            let (key, number) = (values(&key), before.saturating_add(number));
            if own.has_key(&key) {
                let window = Window { start, end, slot: 0, number };
                self.open.load(&key, window, &accumulator);
            }
        }
        Ok(true)
    }
}
