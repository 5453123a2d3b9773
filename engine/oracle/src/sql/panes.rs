//! Windows that fire as they are told, as SQL: settings around a view, and what is read of the panes.

use super::{aggregates, interval, listed, windowed};
use crate::parts::{Call, Emission, Mode, Read, Trigger, Wait, Windows};
use crate::pipeline::{Node, columns};

fn set(settings: &[(&str, &str)]) -> String {
    settings.iter().map(|(key, value)| format!("SET '{key}' = '{value}';\n")).collect()
}

fn wait(wait: Option<Wait>, name: &str) -> Option<String> {
    Some(match wait? {
        Wait::Records(count) => format!("{name} => after_count({count})"),
        Wait::Millis(ms) => format!("{name} => after_processing_time(''{ms} ms'')"),
    })
}

/// The settings before and after a step that is told when to fire.
pub(super) fn settings(node: &Node) -> [String; 2] {
    let Node::Panes(.., emission) = node else { return Default::default() };
    let (mut before, mut after) = (String::new(), String::new());
    match &emission.trigger {
        Trigger::Fires(fires) => {
            for (fire, name) in fires.iter().zip(["early", "late"]) {
                let Some(delay) = fire else { continue };
                let key = |what| format!("table.exec.emit.{name}-fire.{what}");
                let delay = format!("{delay} ms");
                before += &set(&[(&key("enabled"), "true"), (&key("delay"), &delay)]);
                after += &set(&[(&key("enabled"), "false")]);
            }
        }
        Trigger::Watermark([early, late]) => {
            let parts = [wait(*early, "early"), wait(*late, "late")];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            let trigger = format!("after_watermark({})", parts.join(", "));
            before += &set(&[("highwater.emit.trigger", &trigger)]);
            after += &set(&[("highwater.emit.trigger", "after_watermark()")]);
        }
        Trigger::Composed(text) => {
            let text = text.replace('\'', "''");
            before += &set(&[("highwater.emit.trigger", &text)]);
            after += &set(&[("highwater.emit.trigger", "after_watermark()")]);
        }
    }
    let mode = match emission.mode {
        Mode::Retracting => "retracting",
        Mode::Accumulating => "accumulating",
        Mode::Discarding => "discarding",
    };
    before += &set(&[("highwater.emit.panes", mode)]);
    after += &set(&[("highwater.emit.panes", "retracting")]);
    let lateness = format!("{} ms", emission.lateness);
    let mut both = |key: &str, [own, usual]: [&str; 2], is: bool| {
        if is {
            before += &set(&[(key, own)]);
            after += &set(&[(key, usual)]);
        }
    };
    both("table.exec.emit.allow-lateness", [&lateness, "0 ms"], emission.lateness > 0);
    both("highwater.emit.on-time", ["non-empty", "always"], emission.non_empty);
    both("highwater.late.by", ["record", "window"], emission.by_record);
    both("highwater.session.at-gap", ["separate", "merge"], emission.apart);
    [before, after]
}

/// The query of panes over the view of their input.
pub(super) fn query(
    (input, windows): (&Node, Windows),
    (keys, calls): (&[usize], &[Call]),
    emission: &Emission,
    name: &str,
) -> String {
    let keys = columns(keys, input.width());
    let (from, list) = (windowed(name, windows, &keys), aggregates(input, &keys, calls));
    let group = format!("GROUP BY {}window_start, window_end", listed(&keys));
    let comma = if list.is_empty() { "" } else { ", " };
    let width = keys.len() + calls.len();
    // Panes come late: their bounds lead no window on.
    let zero = interval(0);
    let loose = format!("window_start + {zero} AS ws, window_end + {zero} AS we");
    let names: Vec<String> = (0..width).map(|c| format!("c{c}")).collect();
    let mut own: Vec<String> = names[..keys.len()].to_vec();
    match (emission.mode, emission.read) {
        (Mode::Retracting, _) => {
            format!("SELECT {list}{comma}window_start AS ws, window_end AS we FROM {from} {group}")
        }
        (_, Read::Each) => format!(
            "SELECT {list}{comma}PANE_INDEX() AS c{width}, PANE_ON_TIME_INDEX() AS c{}, {loose} \
             FROM {from} {group}",
            width + 1
        ),
        (Mode::Accumulating, Read::Whole) => {
            own.extend(["ws".to_owned(), "we".to_owned()]);
            let shown = [&names[..], &["ws".to_owned(), "we".to_owned()]].concat().join(", ");
            format!(
                "SELECT {shown} FROM (SELECT {list}{comma}PANE_INDEX() AS pane, {loose} \
                 FROM {from} {group}) QUALIFY ROW_NUMBER() OVER (PARTITION BY {} ORDER BY pane DESC) = 1",
                own.join(", ")
            )
        }
        (Mode::Discarding, Read::Whole) => {
            let mut shown = own.clone();
            for (call, c) in calls.iter().zip(keys.len()..) {
                let sum = call.function.of_parts().unwrap_or("SUM");
                let whole = call.made(&input.types()).kept(format!("{sum}(c{c})"));
                shown.push(format!("{whole} AS c{c}"));
            }
            if !matches!(windows, Windows::Session(_)) {
                own.extend(["ws".to_owned(), "we".to_owned()]);
                shown.extend(["ws".to_owned(), "we".to_owned()]);
            }
            let by = if own.is_empty() {
                String::new()
            } else {
                format!(" GROUP BY {}", own.join(", "))
            };
            format!(
                "SELECT {} FROM (SELECT {list}{comma}{loose} FROM {from} {group}){by}",
                shown.join(", ")
            )
        }
    }
}
