//! Why has this window not fired, and which record would fire it?

use super::standing::{HeldBy, Pushed};
use super::{Many, Why, reached, task_name};
use crate::batch::Seq;
use crate::error::Diagnostic;
use crate::time::EventTime;
use crate::trace::{Event, What};

/// The most open windows that are answered for at once.
const MOST: usize = 16;

/// Which windows are meant; nothing said: all that are open.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The key's text, as the trace shows it.
    pub key: Option<String>,
    /// When the window ends, milliseconds.
    pub end: Option<i64>,
}

/// What is told of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The record after which the question is asked.
    pub after: Seq,
    /// Those that have not fired, by their end.
    pub open: Vec<Open>,
    /// Open ones beyond those.
    pub more: usize,
    /// Those that have; only when key or end were asked for.
    pub fired: Vec<Fired>,
}

/// A window that has not fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The task that holds it.
    pub task: String,
    /// The key's text; empty without a key.
    pub key: String,
    /// From here, milliseconds.
    pub start: i64,
    /// Up to here, milliseconds: it fires when the watermark is 1 ms before.
    pub end: i64,
    /// What is counted in it.
    pub records: Vec<Seq>,
    /// The task's watermark.
    pub watermark: EventTime,
    /// Who holds that back.
    pub held_by: Vec<HeldBy>,
    /// The least records that fire it.
    pub fires: Pushed,
}

/// A window that has fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The task that held it.
    pub task: String,
    /// The key's text.
    pub key: String,
    /// From here, milliseconds.
    pub start: i64,
    /// Up to here, milliseconds.
    pub end: i64,
    /// What was counted in it.
    pub records: Vec<Seq>,
    /// The watermark that fired it, and the record, or end of a partition, that moved that.
    pub by: (EventTime, Seq),
}

/// A window as the trace tells of it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) task: u16,
    pub(super) number: u64,
    pub(super) key: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) records: Vec<Seq>,
    pub(super) fired: bool,
}

/// All windows of a trace, in the order in which they opened; those merged into others are gone.
pub(super) fn windows(trace: &[Event]) -> Vec<Window> {
    let mut all: Vec<Window> = Vec::new();
    for event in trace {
        let task = event.task;
        let place = |all: &[Window], number| {
            all.iter().rposition(|w| w.task == task && w.number == number && !w.fired)
        };
        match &event.what {
            What::WindowOpen { window, key, start, end } => all.push(Window {
                task,
                number: *window,
                key: key.clone(),
                start: *start,
                end: *end,
                records: Vec::new(),
                fired: false,
            }),
            What::WindowMerge { window, merged, start, end } => {
                let mut records = Vec::new();
                for gone in merged {
                    if let Some(at) = place(&all, *gone) {
                        records.append(&mut all.remove(at).records);
                    }
                }
                if let Some(at) = place(&all, *window) {
                    (all[at].start, all[at].end) = (*start, *end);
                    all[at].records.append(&mut records);
                    all[at].records.sort();
                }
            }
            What::WindowAdd { window, seq } => {
                if let Some(at) = place(&all, *window) {
                    all[at].records.push(*seq);
                }
            }
            What::WindowFire { window, .. } => {
                if let Some(at) = place(&all, *window) {
                    all[at].fired = true;
                }
            }
            _ => {}
        }
    }
    all
}

/// Whether a window fires in what happens next, be it that another one takes it in before.
fn fires(next: &[Event], task: u16, number: u64) -> bool {
    let mut number = number;
    for event in next.iter().filter(|e| e.task == task) {
        match &event.what {
            What::WindowMerge { window, merged, .. } if merged.contains(&number) => {
                number = *window;
            }
            What::WindowFire { window, .. } if *window == number => return true,
            _ => {}
        }
    }
    false
}

impl Wanted {
    fn fits(&self, window: &Window) -> bool {
        self.key.as_ref().is_none_or(|key| *key == window.key)
            && self.end.is_none_or(|end| end == window.end)
    }

    fn is_all(&self) -> bool {
        self.key.is_none() && self.end.is_none()
    }
}

impl Why<'_> {
    /// Why windows have not fired after a record, the last one where none is named.
    ///
    /// # Errors
    /// When there is no such record or no such window.
    pub fn window(&self, after: Option<Seq>, wanted: &Wanted) -> Many<Windows> {
        let standing = self.standing(self.after(after)?)?;
        let header = standing.header();
        let all = windows(&standing.trace);
        let (mut open, mut fired) = (Vec::new(), Vec::new());
        for w in all.iter().filter(|w| wanted.fits(w)) {
            if !w.fired {
                open.push(w);
            } else if !wanted.is_all() {
                let by = reached(&standing.trace, w.task, w.end.saturating_sub(1));
                fired.push(Fired {
                    task: task_name(header, w.task),
                    key: w.key.clone(),
                    start: w.start,
                    end: w.end,
                    records: w.records.clone(),
                    by: by.unwrap_or((EventTime::MAX, standing.after)),
                });
            }
        }
        if open.is_empty() && fired.is_empty() {
            return Err(self.no_window(standing.after, &all, wanted));
        }
        open.sort_by_key(|w| w.end);
        let more = open.len().saturating_sub(MOST);
        let mut told = Vec::new();
        for w in open.into_iter().take(MOST) {
            let target = w.end.saturating_sub(1);
            let happens = |next: &[Event]| fires(next, w.task, w.number);
            told.push(Open {
                task: task_name(header, w.task),
                key: w.key.clone(),
                start: w.start,
                end: w.end,
                records: w.records.clone(),
                watermark: standing.watermark(w.task),
                held_by: standing.held_by(w.task, target),
                fires: standing.push(w.task, target, &happens),
            });
        }
        Ok(Windows { after: standing.after, open: told, more, fired })
    }

    fn no_window(&self, after: Seq, all: &[Window], wanted: &Wanted) -> Vec<Diagnostic> {
        if wanted.is_all() {
            let message = format!("no window is open after record {after}");
            let hint = match all.is_empty() {
                true => "no operator of this job has opened one",
                false => "all have fired; ask after an earlier record with `--after`",
            };
            return self.fail(Diagnostic::new("why.no-window", message).hint(hint));
        }
        let message = format!("there is no such window up to record {after}");
        let mut known: Vec<String> = all
            .iter()
            .rev()
            .take(5)
            .map(|w| match w.key.as_str() {
                "" => EventTime(w.end).to_string(),
                key => format!("{} of key `{key}`", EventTime(w.end)),
            })
            .collect();
        known.dedup();
        let hint = match known.is_empty() {
            true => "no window was opened".to_owned(),
            false => format!("the last ones end at {}", known.join(", ")),
        };
        self.fail(Diagnostic::new("why.no-window", message).hint(hint))
    }
}
