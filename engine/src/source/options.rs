//! The options of a table's `WITH` clause and its settings, read with their types.

use super::Context;
use crate::error::{Diagnostic, Result};
use crate::schema::DataType;
use crate::sql::settings::{Setting, TABLE_SETTINGS};
use crate::time::parse_duration_micros;

/// Options that say something to other parts of the engine and are no business of a connector.
const FOREIGN: [&str; 3] = ["connector", "scan.parallelism", "scan.watermark."];

impl Context<'_> {
    /// The option as written.
    pub(super) fn option(&self, key: &str) -> Option<&str> {
        self.spec.options.get(key).map(String::as_str)
    }

    /// The option, which must be there.
    pub(super) fn required(&self, key: &'static str) -> Result<&str> {
        self.option(key).ok_or_else(|| {
            Diagnostic::new(
                "source.missing-option",
                format!("table `{}` needs the option '{key}'", self.spec.table),
            )
            .hint(format!("add '{key}' = '…' to its WITH clause"))
        })
    }

    /// A `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.option(key) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(self.bad_option(key, text, "true or false")),
        }
    }

    /// A single ASCII character.
    pub(super) fn character(&self, key: &str) -> Result<Option<u8>> {
        match self.option(key) {
            None => Ok(None),
            Some(r"\t") => Ok(Some(b'\t')),
            Some(text) if text.len() == 1 => Ok(text.bytes().next()),
            Some(text) => Err(self.bad_option(key, text, "one ASCII character")),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>> {
        self.option(key)
            .map(|text| {
                text.trim().parse().map_err(|_| self.bad_option(key, text, "a whole number"))
            })
            .transpose()
    }

    /// A diagnostic about the value of an option.
    pub(super) fn bad_option(&self, key: &str, text: &str, expected: &str) -> crate::error::Error {
        Diagnostic::new(
            "source.bad-option",
            format!(
                "the option '{key}' of table `{}` is '{text}', expected {expected}",
                self.spec.table
            ),
        )
    }

    /// Refuses options that nobody would read: most are slips of the pen.
    pub(super) fn only(&self, known: impl Fn(&str) -> bool, list: &str) -> Result<()> {
        let foreign = |key: &str| {
            FOREIGN.iter().any(|f| key == *f || (f.ends_with('.') && key.starts_with(f)))
        };
        match self.spec.options.keys().find(|key| !foreign(key) && !known(key)) {
            None => Ok(()),
            Some(key) => Err(Diagnostic::new(
                "source.unknown-option",
                format!(
                    "table `{}` has the option '{key}', which the connector '{}' does not know",
                    self.spec.table, self.spec.connector
                ),
            )
            .hint(format!("it knows {list}"))),
        }
    }

    /// `SET 'highwater.<table>.<key>'`.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        let listed = |s: &Setting| s.key.strip_prefix("highwater.<table>.") == Some(key);
        debug_assert!(TABLE_SETTINGS.iter().any(listed), "{key} is not listed");
        self.settings.get(&format!("highwater.{}.{key}", self.spec.table))
    }

    /// The time between two records that carry no arrival time, in microseconds.
    pub(super) fn interval(&self) -> Result<u64> {
        let Some(text) = self.setting("interval") else { return Ok(1_000) };
        duration(text)
            .ok_or_else(|| self.bad_setting("interval", text, "a duration such as '10 ms'"))
    }

    /// The physical column that the setting `key` names.
    pub(super) fn column_setting(&self, key: &str) -> Result<Option<usize>> {
        self.setting(key).map(|name| self.column(key, name)).transpose()
    }

    /// The position of the physical column `name`, which the setting `key` asks for.
    pub(super) fn column(&self, key: &str, name: &str) -> Result<usize> {
        self.spec.physical.index_of(name).ok_or_else(|| {
            let names: Vec<_> = self.spec.physical.fields.iter().map(|f| f.name.as_str()).collect();
            self.bad_setting(key, name, "a column that the source delivers")
                .hint(format!("the columns are {}", names.join(", ")))
        })
    }

    /// Checks that the column can say when a record arrives.
    pub(super) fn arrival_column(&self, column: usize) -> Result<usize> {
        let field = &self.spec.physical.fields[column];
        let fits = field.data_type == DataType::BigInt || field.data_type.is_timestamp();
        if fits {
            return Ok(column);
        }
        Err(self
            .bad_setting(
                "arrival",
                &field.name,
                "a BIGINT, TIMESTAMP(3) or TIMESTAMP_LTZ(3) column",
            )
            .hint(format!("it is {}", field.data_type)))
    }

    fn bad_setting(&self, key: &str, text: &str, expected: &str) -> crate::error::Error {
        Diagnostic::new(
            "source.bad-setting",
            format!(
                "the setting 'highwater.{}.{key}' is '{text}', expected {expected}",
                self.spec.table
            ),
        )
    }
}

/// A duration in microseconds; unlike the function it uses, it takes any text.
pub(super) fn duration(text: &str) -> Option<u64> {
    (text.matches('.').count() <= 1).then(|| parse_duration_micros(text)).flatten()
}
