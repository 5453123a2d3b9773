//! The language, said once: every statement, clause, window, join, trigger, function, option and setting, each with
//! a line on what it does and an example that a test runs.
//!
//! What another registry lists (functions, aggregates, connectors, settings, profiles, triggers, table functions) is
//! joined with its example by name, and a test fails where one of the two is missing. Help is printed from here.
//! Nothing that plans or runs a script refers to this module, so `engine.wasm` does not carry it.

mod clauses;
mod options;
mod print;
mod scene;
mod statements;
mod tables;
#[cfg(test)]
mod tests;
mod values;

pub use print::{entry, near, text};
pub use scene::{FILES, RECORDS, TABLES};

/// Something a script may say.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is looked up by, such as `TUMBLE` or `csv.header`.
    pub name: &'static str,
    /// Where it stands in help.
    pub section: Section,
    /// How it is written.
    pub syntax: String,
    /// What it does, in a sentence.
    pub doc: String,
    /// How it is used.
    pub example: Example,
}

/// An example of an entry.
#[derive(Clone, Debug)]
pub struct Example {
    /// The part of the script that shows the entry.
    pub shown: String,
    /// The whole script, over [`TABLES`].
    pub script: String,
    /// What is checked of it.
    pub gives: Gives,
}

/// What comes of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A row at least.
    Rows,
    /// One row with this value, as text.
    Value(&'static str),
    /// A plan: what it would run on is no part of the engine (guests, columnar files), or nothing runs.
    Plan,
}

/// The parts of help, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What a script consists of.
    Statements,
    /// What a query consists of.
    Clauses,
    /// Functions over tables that give rows their windows.
    Windows,
    /// What a window that fires several times says of a firing.
    Panes,
    /// When windows fire.
    Triggers,
    /// Two tables as one.
    Joins,
    /// Aggregates beside rows.
    Over,
    /// The first rows of something.
    Ranks,
    /// Values over the rows of a group.
    Aggregates,
    /// Values with a syntax of their own.
    Forms,
    /// Functions and operators.
    Functions,
    /// Types of columns.
    Types,
    /// Functions of a script's own.
    Guests,
    /// What a table may be of.
    Connectors,
    /// The options of a connector.
    OptionsOf(&'static str),
    /// The options of every table that is read.
    ReadOptions,
    /// The options of every table that is written.
    WriteOptions,
    /// Settings.
    Settings,
    /// Values of the setting that says whose small print is followed.
    Profiles,
}

impl Section {
    /// The heading.
    pub fn title(self) -> String {
        let title = match self {
            Section::Statements => "STATEMENTS",
            Section::Clauses => "CLAUSES OF A QUERY",
            Section::Windows => {
                "WINDOWS, in FROM; GROUP BY both ends gives a row a window, when it closes"
            }
            Section::Panes => "PANES, in SELECT over windows that fire several times",
            Section::Triggers => "TRIGGERS (SET 'highwater.emit.trigger' = '…')",
            Section::Joins => "JOINS",
            Section::Over => "OVER",
            Section::Ranks => "RANKS",
            Section::Aggregates => "AGGREGATES",
            Section::Forms => "EXPRESSIONS",
            Section::Functions => "FUNCTIONS AND OPERATORS",
            Section::Types => "TYPES",
            Section::Guests => {
                "FUNCTIONS OF YOUR OWN (CREATE FUNCTION f AS 'f.wasm' LANGUAGE WASM)"
            }
            Section::Connectors => "CONNECTORS (CREATE TABLE … WITH ('connector' = '…'))",
            Section::OptionsOf(connector) => return format!("OPTIONS OF {connector}"),
            Section::ReadOptions => "OPTIONS OF EVERY TABLE THAT IS READ",
            Section::WriteOptions => "OPTIONS OF EVERY TABLE THAT IS WRITTEN",
            Section::Settings => "SETTINGS (SET 'key' = 'value')",
            Section::Profiles => "PROFILES (SET 'semantics.profile' = '…')",
        };
        title.to_owned()
    }
}

/// An entry whose script stands in a list.
struct Item {
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    script: &'static str,
}

const fn item(
    name: &'static str,
    syntax: &'static str,
    doc: &'static str,
    script: &'static str,
) -> Item {
    Item { name, syntax, doc, script }
}

impl Item {
    fn entry(&self, section: Section, gives: Gives) -> Entry {
        let (shown, script) = (self.script.to_owned(), self.script.to_owned());
        Entry {
            name: self.name,
            section,
            syntax: self.syntax.to_owned(),
            doc: self.doc.to_owned(),
            example: Example { shown, script, gives },
        }
    }
}

/// The entries of a list whose scripts give rows.
fn listed(section: Section, items: &'static [Item]) -> impl Iterator<Item = Entry> {
    items.iter().map(move |item| item.entry(section, Gives::Rows))
}

/// All entries, in the order in which help lists them.
pub fn entries() -> Vec<Entry> {
    let mut all = statements::entries();
    all.extend(clauses::entries());
    all.extend(tables::entries());
    all.extend(values::entries());
    all.extend(statements::guests());
    all.extend(options::entries());
    all
}
