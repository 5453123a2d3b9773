//! A scenario's prose as a tree of plain data, from which the page builds text nodes.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

/// A part of the lesson.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Text.
    Text(String),
    /// Code within a line.
    Code(String),
    /// A line's end.
    Break,
    /// A rule across the page.
    Rule,
    /// A block of code: what it is, and its text.
    Block(String, String),
    /// An element with children: paragraphs, headings, lists, tables, emphasis.
    Element(&'static str, Vec<Node>),
    /// A link.
    Link(Target, Vec<Node>),
}

/// Where a link goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Another example.
    Example(String),
    /// Another site.
    Web(String),
    /// Nowhere we would send anybody.
    Nowhere,
}

/// Reads Markdown. Raw HTML is shown as the text it is.
pub fn read(text: &str) -> Vec<Node> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut open: Vec<(Holder, Vec<Node>)> = vec![(Holder::Element("div"), Vec::new())];
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(tag) => open.push((holder(&tag), Vec::new())),
            Event::End(_) => {
                if open.len() > 1
                    && let Some((holder, children)) = open.pop()
                {
                    put(&mut open, holder.close(children));
                }
            }
            Event::Text(t) | Event::Html(t) | Event::InlineHtml(t) => {
                put(&mut open, Node::Text(t.into_string()));
            }
            Event::Code(t) => put(&mut open, Node::Code(t.into_string())),
            Event::SoftBreak => put(&mut open, Node::Text(" ".to_owned())),
            Event::HardBreak => put(&mut open, Node::Break),
            Event::Rule => put(&mut open, Node::Rule),
            _ => {}
        }
    }
    open.into_iter().next().map(|(_, children)| children).unwrap_or_default()
}

enum Holder {
    Element(&'static str),
    Link(Target),
    Block(String),
}

impl Holder {
    fn close(self, children: Vec<Node>) -> Node {
        match self {
            Holder::Element(name) => Node::Element(name, children),
            Holder::Link(target) => Node::Link(target, children),
            Holder::Block(info) => {
                let text = children.iter().map(|n| match n {
                    Node::Text(t) => t.as_str(),
                    _ => "",
                });
                Node::Block(info, text.collect())
            }
        }
    }
}

fn put(open: &mut [(Holder, Vec<Node>)], node: Node) {
    if let Some((_, children)) = open.last_mut() {
        children.push(node);
    }
}

fn holder(tag: &Tag<'_>) -> Holder {
    Holder::Element(match tag {
        Tag::CodeBlock(CodeBlockKind::Fenced(info)) => return Holder::Block(info.to_string()),
        Tag::CodeBlock(CodeBlockKind::Indented) => return Holder::Block(String::new()),
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
            return Holder::Link(target(dest_url));
        }
        Tag::Heading { level: HeadingLevel::H1, .. } => "h2",
        Tag::Heading { level: HeadingLevel::H2, .. } => "h3",
        Tag::Heading { .. } => "h4",
        Tag::Paragraph => "p",
        Tag::BlockQuote(_) => "blockquote",
        Tag::List(Some(_)) => "ol",
        Tag::List(None) => "ul",
        Tag::Item => "li",
        Tag::Table(_) => "table",
        Tag::TableHead => "thead",
        Tag::TableRow => "tr",
        Tag::TableCell => "td",
        Tag::Emphasis => "em",
        Tag::Strong => "strong",
        Tag::Strikethrough => "s",
        _ => "div",
    })
}

fn target(url: &str) -> Target {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web {
        return Target::Web(url.to_owned());
    }
    let file = url.strip_prefix("./").unwrap_or(url);
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if file.ends_with(".md") && file.chars().all(plain) {
        return Target::Example(file.to_owned());
    }
    Target::Nowhere
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_a_tree() {
        let nodes = read("# A\n\nSome *text* with `code`.\n\n```sql\nSELECT 1\n```\n\n- one\n");
        let text = |t: &str| Node::Text(t.to_owned());
        assert_eq!(nodes[0], Node::Element("h2", vec![text("A")]));
        let Node::Element("p", parts) = &nodes[1] else { panic!("{nodes:?}") };
        assert_eq!(parts[1], Node::Element("em", vec![text("text")]));
        assert_eq!(parts[3], Node::Code("code".into()));
        assert_eq!(nodes[2], Node::Block("sql".into(), "SELECT 1\n".into()));
        assert!(matches!(nodes[3], Node::Element("ul", _)));
    }

    #[test]
    fn links_go_only_where_they_may() {
        assert_eq!(target("https://a.org"), Target::Web("https://a.org".into()));
        assert_eq!(target("first-window.md"), Target::Example("first-window.md".into()));
        for bad in ["javascript:alert(1)", "data:text/html,x", "../x.md", "//evil.org/x.md", "/etc"]
        {
            assert_eq!(target(bad), Target::Nowhere, "{bad}");
        }
    }

    #[test]
    fn raw_html_stays_text() {
        let nodes = read("<script>alert(1)</script>\n");
        assert!(format!("{nodes:?}").contains("<script>"));
    }
}
