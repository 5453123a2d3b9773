//! The lesson: the scenario's prose as text nodes.

use leptos::prelude::*;

use super::{App, app};
use crate::highlight::pieces;
use crate::lesson::{Node, Target, read};
use crate::update::Msg;
use crate::words;

/// The lesson.
#[component]
pub(super) fn Lesson() -> impl IntoView {
    let app = app();
    let text = app.memo(|m| m.running_text.clone());
    let nodes = move || {
        let is_script = app.model.with_untracked(|m| m.file.ends_with(".sql"));
        let text = text.get();
        if is_script { vec![Node::Block("sql".into(), text)] } else { read(&text) }
    };
    view! {
        <article class="lesson scroll" tabindex="0" aria-label="Lesson">
            {move || nodes().into_iter().map(|n| show(n, app)).collect_view()}
        </article>
    }
}

fn show(node: Node, app: App) -> AnyView {
    match node {
        Node::Text(text) => text.into_any(),
        Node::Code(text) => view! { <code>{text}</code> }.into_any(),
        Node::Break => view! { <br /> }.into_any(),
        Node::Rule => view! { <hr /> }.into_any(),
        Node::Block(info, text) => block(info, &text),
        Node::Link(target, children) => link(target, children, app),
        Node::Element(name, children) => {
            let inner = children.into_iter().map(|n| show(n, app)).collect_view();
            match name {
                "h2" => view! { <h2>{inner}</h2> }.into_any(),
                "h3" => view! { <h3>{inner}</h3> }.into_any(),
                "h4" => view! { <h4>{inner}</h4> }.into_any(),
                "p" => view! { <p>{inner}</p> }.into_any(),
                "blockquote" => view! { <blockquote>{inner}</blockquote> }.into_any(),
                "ol" => view! { <ol>{inner}</ol> }.into_any(),
                "ul" => view! { <ul>{inner}</ul> }.into_any(),
                "li" => view! { <li>{inner}</li> }.into_any(),
                "table" => view! { <table>{inner}</table> }.into_any(),
                "thead" => view! { <tr class="names">{inner}</tr> }.into_any(),
                "tr" => view! { <tr>{inner}</tr> }.into_any(),
                "td" => view! { <td>{inner}</td> }.into_any(),
                "em" => view! { <em>{inner}</em> }.into_any(),
                "strong" => view! { <strong>{inner}</strong> }.into_any(),
                "s" => view! { <s>{inner}</s> }.into_any(),
                _ => view! { <div>{inner}</div> }.into_any(),
            }
        }
    }
}

/// SQL is read; data and expectations are there to be looked up.
fn block(info: String, text: &str) -> AnyView {
    let is_sql = info.split_whitespace().next() == Some("sql");
    let lines = text.lines().count() as u64;
    let parts = pieces(text, is_sql, &[]);
    let code = parts.into_iter().map(|p| view! { <span class=p.kind.class()>{p.text}</span> });
    let code = view! { <pre tabindex="0"><code>{code.collect_view()}</code></pre> };
    if is_sql || info.starts_with("faults") || lines <= 6 {
        let label = (!info.is_empty()).then(|| view! { <span class="info">{info}</span> });
        view! { <div class="block">{label}{code}</div> }.into_any()
    } else {
        let summary = format!("{info} · {}", words::count(lines, "line"));
        view! { <details class="block"><summary>{summary}</summary>{code}</details> }.into_any()
    }
}

fn link(target: Target, children: Vec<Node>, app: App) -> AnyView {
    let inner = children.into_iter().map(|n| show(n, app)).collect_view();
    match target {
        Target::Web(url) => {
            view! { <a href=url target="_blank" rel="noopener noreferrer">{inner}</a> }.into_any()
        }
        Target::Example(file) => {
            let href = format!("#/example/{file}");
            let choose = move |_| app.send(Msg::Choose(file.clone()));
            view! { <a href=href on:click=choose>{inner}</a> }.into_any()
        }
        Target::Nowhere => view! { <span>{inner}</span> }.into_any(),
    }
}
