//! The terminal: rows to stdout, everything else to stderr, colours where they are wanted.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use highwater::escape::{visible, visible_lines};
use highwater::report::{Severity, Sources, render};
use highwater_engine::error::Diagnostic;

use super::{Done, Failure};

/// Where a command prints.
pub(super) struct Console {
    out: BufWriter<io::Stdout>,
    colour: bool,
    /// Whether stdout is a terminal.
    terminal: bool,
}

impl Console {
    pub(super) fn new() -> Console {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        Console {
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            terminal: io::stdout().is_terminal(),
            colour: wanted && io::stderr().is_terminal(),
        }
    }

    /// Prints to stdout.
    pub(super) fn print(&mut self, text: &str) -> Done {
        self.out.write_all(text.as_bytes()).map_err(failed)
    }

    /// Prints a line that must stay byte for byte what it is, unless a person's terminal would obey it.
    pub(super) fn print_exact(&mut self, line: &str) -> Done {
        if self.terminal {
            self.print(&visible(line))?
        } else {
            self.print(line)?
        }
        self.print("\n")
    }

    /// Hands what was printed to the system.
    pub(super) fn flush(&mut self) -> Done {
        self.out.flush().map_err(failed)
    }

    /// Says something on stderr.
    pub(super) fn say(&mut self, text: &str) {
        // Whoever closed stderr does not want to hear it.
        let _ = writeln!(io::stderr(), "{}", visible_lines(text));
    }

    /// Shows what is wrong, all of it, after what has been printed so far.
    pub(super) fn errors(&mut self, errors: &[Diagnostic], sources: &Sources) -> Failure {
        let closed = self.flush().is_err();
        for error in errors {
            self.show(error, Severity::Error, sources);
        }
        if closed { Failure::Closed } else { Failure::Input }
    }

    /// Shows one error.
    pub(super) fn error(&mut self, error: &Diagnostic, sources: &Sources) -> Failure {
        self.errors(std::slice::from_ref(error), sources)
    }

    /// Shows what is worth knowing.
    pub(super) fn warnings(&mut self, warnings: &[Diagnostic], sources: &Sources) {
        for warning in warnings {
            self.show(warning, Severity::Warning, sources);
        }
    }

    fn show(&mut self, diagnostic: &Diagnostic, severity: Severity, sources: &Sources) {
        let text = render(diagnostic, severity, sources, self.colour);
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

fn failed(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::Closed;
    }
    let _ = writeln!(io::stderr(), "error: cannot write to stdout: {error}");
    Failure::Input
}
