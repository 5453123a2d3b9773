//! The pipeline as boxes and lines.

use leptos::prelude::*;

use super::app;
use crate::panel::graph::{GraphView, Node, build};

/// The pipeline.
#[component]
pub(super) fn Graph() -> impl IntoView {
    let app = app();
    let graph = app.table(build);
    let summary = move || graph.with(|g| g.summary.clone());
    // The layout changes with the run only; numbers change within the boxes.
    let layout = Memo::new(move |_| {
        graph.with(|g| {
            let places: Vec<_> = g.nodes.iter().map(|n| (n.column, n.row, n.rows)).collect();
            (places, g.edges.clone(), g.columns)
        })
    });
    let boxes = move || {
        let (places, _, columns) = layout.get();
        (0..places.len()).map(|i| task(graph, i, places[i], columns)).collect_view()
    };
    let lines = move || {
        let (places, edges, columns) = layout.get();
        let end = |i: usize| centre(places[i], columns);
        let line = |&(from, to): &(usize, usize)| {
            let ((x1, y1), (x2, y2)) = (end(from), end(to));
            let bend = (x1 + x2) / 2.0;
            let d = format!("M{x1:.2} {y1:.2}C{bend:.2} {y1:.2} {bend:.2} {y2:.2} {x2:.2} {y2:.2}");
            view! { <path d=d vector-effect="non-scaling-stroke" /> }
        };
        edges.iter().map(line).collect_view()
    };
    view! {
        <figure class="panel graph" aria-label="Pipeline">
            <figcaption class="caption"><h2>"Pipeline"</h2><span class="summary">{summary}</span></figcaption>
            <div class="scroll">
                <div
                    class="wires"
                    style=("--tallest", move || graph.with(|g| g.tallest.max(1).to_string()))
                    style=("--columns", move || graph.with(|g| g.columns.max(1).to_string()))
                >
                    <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{lines}</svg>
                    <ul>{boxes}</ul>
                </div>
            </div>
        </figure>
    }
}

/// The middle of a task's box in hundredths of the picture.
fn centre((column, row, rows): (usize, usize, usize), columns: usize) -> (f64, f64) {
    let part = |i: usize, n: usize| (i as f64 + 0.5) * 100.0 / n.max(1) as f64;
    (part(column, columns), part(row, rows))
}

fn task(
    graph: Memo<GraphView>,
    i: usize,
    place: (usize, usize, usize),
    columns: usize,
) -> impl IntoView {
    let (x, y) = centre(place, columns);
    let node = Memo::new(move |_| graph.with(|g| g.nodes.get(i).cloned()));
    let of =
        move |f: fn(&Node) -> String| move || node.with(|n| n.as_ref().map(f).unwrap_or_default());
    let down = move || node.with(|n| n.as_ref().is_some_and(|n| n.down));
    let counters = move || {
        let list = node.with(|n| n.as_ref().map(|n| n.counters.clone()).unwrap_or_default());
        list.into_iter()
            .map(|(word, number, bad)| {
                view! { <span class:bad=bad>{format!("{number} {word}")}</span> }
            })
            .collect_view()
    };
    view! {
        <li
            class="task"
            class:down=down
            style:left=format!("{x:.2}%")
            style:top=format!("{y:.2}%")
            title=of(|n| format!("{}\n{}", n.kind, n.describe))
        >
            <strong>{of(|n| n.name.clone())}</strong>
            <span class="mark">{of(|n| n.watermark.clone())}</span>
            <span class="counters">{counters}</span>
        </li>
    }
}
