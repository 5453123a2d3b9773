//! Blocks of HTML in a Markdown text: a fence in one is none.

/// The elements that begin a block wherever their tags stand first in a line.
const BLOCKS: &str = " address article aside base basefont blockquote body caption center col \
    colgroup dd details dialog dir div dl dt fieldset figcaption figure footer form frame frameset \
    h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link main menu menuitem nav noframes ol \
    optgroup option p param search section summary table tbody td tfoot th thead title tr track ul ";

/// The elements whose content is never Markdown.
const RAW: [&str; 4] = ["script", "pre", "style", "textarea"];

/// What ends a block.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// A blank line.
    Blank,
    /// A line with this text.
    Text(&'static str),
    /// A line with the end tag of a raw element.
    RawTag,
}

impl End {
    /// Whether the block ends with this line.
    pub(super) fn is_in(self, line: &str) -> bool {
        match self {
            End::Blank => line.bytes().all(|b| matches!(b, b' ' | b'\t')),
            End::Text(text) => line.contains(text),
            End::RawTag => {
                let line = line.to_ascii_lowercase();
                let mut tags = line.match_indices("</").map(|(at, _)| &line[at + 2..]);
                tags.any(|tag| RAW.iter().any(|name| after(tag, name).starts_with('>')))
            }
        }
    }
}

/// What follows a name; `?` where something else stands.
fn after<'t>(text: &'t str, name: &str) -> &'t str {
    text.strip_prefix(name).unwrap_or("?")
}

/// The end of the block that begins with this text; `any` where also a tag of an unknown element may
/// begin one, which is not inside a paragraph.
pub(super) fn begin(text: &str, any: bool) -> Option<End> {
    let inner = text.strip_prefix('<')?;
    if let Some(rest) = inner.strip_prefix('!') {
        return match rest.as_bytes() {
            [b'-', b'-', ..] => Some(End::Text("-->")),
            [letter, ..] if letter.is_ascii_alphabetic() => Some(End::Text(">")),
            _ if rest.starts_with("[CDATA[") => Some(End::Text("]]>")),
            _ => None,
        };
    }
    if inner.starts_with('?') {
        return Some(End::Text("?>"));
    }
    let (closing, inner) = match inner.strip_prefix('/') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let length = name_length(inner)?;
    let (name, rest) = (inner[..length].to_ascii_lowercase(), &inner[length..]);
    let ended = matches!(rest.as_bytes().first(), None | Some(b' ' | b'\t' | b'>'));
    if !closing && ended && RAW.contains(&name.as_str()) {
        return Some(End::RawTag);
    }
    let is_block = BLOCKS.split_ascii_whitespace().any(|block| block == name);
    if is_block && (ended || rest.starts_with("/>")) {
        return Some(End::Blank);
    }
    let alone = |rest: &str| rest.trim_matches([' ', '\t']).is_empty();
    let tag = if closing { spaces(rest).strip_prefix('>') } else { attributes(rest) };
    (any && !RAW.contains(&name.as_str()) && tag.is_some_and(alone)).then_some(End::Blank)
}

/// The bytes of an element's name.
fn name_length(text: &str) -> Option<usize> {
    let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
    text.starts_with(|first: char| first.is_ascii_alphabetic()).then_some(length)
}

fn spaces(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// What follows an opening tag whose attributes begin here.
fn attributes(mut rest: &str) -> Option<&str> {
    loop {
        let text = spaces(rest);
        let empty = text.strip_prefix("/>").or_else(|| text.strip_prefix('>'));
        let is_first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':');
        if empty.is_some() || text.len() == rest.len() || !text.starts_with(is_first) {
            return empty;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-');
        rest = text.trim_start_matches(is_name);
        let Some(value) = spaces(rest).strip_prefix('=').map(spaces) else { continue };
        rest = match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split_once(quote)?.1,
            _ => {
                let stop = |c: char| " \t\"'=<>`".contains(c);
                let length = value.find(stop).unwrap_or(value.len());
                if length == 0 {
                    return None;
                }
                &value[length..]
            }
        };
    }
}
