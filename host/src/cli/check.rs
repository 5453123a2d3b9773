//! `highwater check`: do scenarios still do what their `expect` blocks say?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use highwater::escape::visible;
use highwater::files::write_atomically;
use highwater::job::never_struck;
use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session;
use similar::{ChangeTag, TextDiff};

use super::console::Console;
use super::input::read;
use super::{Done, Failure};

/// Lines of agreement shown around a difference.
const CONTEXT: usize = 3;

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Scenarios (.md)
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn check(args: &CheckArgs, console: &mut Console) -> Done {
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|v| v == "1");
    let mut failed = false;
    let mut wrong = false;
    for path in &args.files {
        match check_file(path, update, console) {
            Ok(()) => {}
            Err(Failure::Check) => failed = true,
            Err(Failure::Input) => wrong = true,
            Err(Failure::Closed) => return Err(Failure::Closed),
        }
    }
    // A file that cannot be read says more about the call than a difference does.
    if wrong {
        Err(Failure::Input)
    } else if failed {
        Err(Failure::Check)
    } else {
        Ok(())
    }
}

fn check_file(path: &Path, update: bool, console: &mut Console) -> Done {
    let input = read(path, console)?;
    let files = input.files(console)?;
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let script = &input.script;
    let report = session::check(script.short_name(), &script.text, &files, sandbox)
        .map_err(|e| console.errors(&e, &input.sources))?;
    let name = path.display().to_string();
    let name = visible(&name);
    for fault in &report.never_struck {
        console.say(&format!("{name}: {}", never_struck(fault)));
    }
    let failures = report.blocks.iter().filter(|b| !b.passed()).count();
    if update {
        if report.updated != script.text {
            write_atomically(path, report.updated.as_bytes())
                .map_err(|e| console.error(&e, &input.sources))?;
            console.print(&format!("{name}: {failures} blocks rewritten\n"))?;
        } else {
            console.print(&format!("{name}: unchanged\n"))?;
        }
        return Ok(());
    }
    for block in report.blocks.iter().filter(|b| !b.passed()) {
        console.print(&format!("{name}:{}: {} differs\n", block.line, visible(&block.title)))?;
        console.print(&difference(&block.expected, &block.actual))?;
    }
    match (report.blocks.len(), failures) {
        (0, _) => console.print(&format!("{name}: no expect blocks\n")),
        (all, 0) => console.print(&format!("{name}: {all} ok\n")),
        (all, some) => {
            console.print(&format!("{name}: {some} of {all} failed\n"))?;
            Err(Failure::Check)
        }
    }
}

/// `-` what is expected, `+` what there is.
fn difference(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let mut out = String::new();
    for (i, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if i > 0 {
            out.push_str("  …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let line = change.value();
            let line = visible(line.strip_suffix('\n').unwrap_or(line));
            out.push_str(&format!("  {sign}{line}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn differences_show_both_sides_and_little_else() {
        let expected: String = (0..20).map(|i| format!("{i}\n")).collect();
        let actual = expected.replace("10\n", "ten\u{7}\n");
        assert_eq!(
            difference(&expected, &actual),
            "   7\n   8\n   9\n  -10\n  +ten\\u{7}\n   11\n   12\n   13\n"
        );
    }
}
