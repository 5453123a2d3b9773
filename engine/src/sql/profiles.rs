//! Semantics profiles: whose small print a script follows, as defaults of settings that can be written one by one.

use crate::plan::Settings;

/// The setting that names a profile.
pub(super) const PROFILE: &str = "semantics.profile";

/// A system whose small print can be followed.
#[derive(Debug)]
pub struct Profile {
    /// The name, as `SET 'semantics.profile'` takes it.
    pub name: &'static str,
    /// One sentence on what its windows do.
    pub doc: &'static str,
    /// The settings it has another default for.
    pub defaults: &'static [(&'static str, &'static str)],
}

/// All profiles, in the order in which help lists them.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "flink",
        doc: "Windows fire once when the watermark passes their end, and take no record after that.",
        defaults: &[],
    },
    Profile {
        name: "beam",
        doc: "Each late record that is allowed makes a pane of its own; two records exactly the gap apart are two \
              sessions.",
        defaults: &[
            ("highwater.emit.trigger", "repeatedly(after_watermark())"),
            ("highwater.emit.panes", "discarding"),
            ("highwater.session.at-gap", "separate"),
        ],
    },
    Profile {
        name: "spark",
        doc: "The watermark moves between micro-batches, and results leave at their end.",
        defaults: &[
            ("table.exec.mini-batch.enabled", "true"),
            ("table.exec.mini-batch.allow-latency", "1 s"),
            ("highwater.watermark.emit", "on-batch"),
        ],
    },
    Profile {
        name: "kafka",
        doc: "Windows say every change, and take back what they said before, until their grace is over.",
        defaults: &[(
            "highwater.emit.trigger",
            "after_watermark(early => after_count(1), late => after_count(1))",
        )],
    },
    Profile {
        name: "risingwave",
        doc: "A record behind the watermark is left out even when its window is open; windows say every change.",
        defaults: &[
            ("highwater.late.by", "record"),
            ("highwater.emit.trigger", "after_watermark(early => after_count(1))"),
        ],
    },
    Profile {
        name: "bytewax",
        doc: "The watermark goes on with time between records; a record behind it is left out even when its window \
              is open.",
        defaults: &[("highwater.late.by", "record"), ("highwater.watermark.advance", "with-time")],
    },
];

/// The names of all profiles.
pub(super) const NAMES: &[&str] = &["flink", "beam", "spark", "kafka", "risingwave", "bytewax"];

/// What a setting is: as written, else as the script's profile has it.
pub(super) fn value<'a>(settings: &'a Settings, key: &str) -> Option<&'a str> {
    settings.get(key).or_else(|| {
        let profile = PROFILES.iter().find(|p| Some(p.name) == settings.get(PROFILE))?;
        profile.defaults.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    })
}

/// The profiles side by side: a line for each setting in which they differ, a column for each profile. What a
/// profile leaves as it is stands as `default`.
pub fn table() -> String {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in PROFILES.iter().flat_map(|p| p.defaults) {
        if !keys.contains(key) {
            keys.push(key);
        }
    }
    let head = PROFILES.iter().map(|p| p.name);
    let mut rows =
        vec![std::iter::once("setting").chain(head).map(str::to_owned).collect::<Vec<_>>()];
    for key in keys {
        let cell = |p: &Profile| {
            let own = p.defaults.iter().find(|(known, _)| *known == key);
            own.map_or("default", |(_, value)| *value).to_owned()
        };
        rows.push(std::iter::once(key.to_owned()).chain(PROFILES.iter().map(cell)).collect());
    }
    let line = |row: &Vec<String>| format!("| {} |\n", row.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(PROFILES.len() + 1));
    let mut text = line(&rows[0]) + &rule;
    rows[1..].iter().for_each(|row| text += &line(row));
    text.push('\n');
    PROFILES.iter().for_each(|p| text += &format!("* `{}`: {}\n", p.name, p.doc));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::settings::SETTINGS;

    #[test]
    fn profiles_are_defaults_of_settings_that_there_are() {
        assert!(PROFILES.iter().map(|p| p.name).eq(NAMES.iter().copied()));
        for (key, value) in PROFILES.iter().flat_map(|p| p.defaults) {
            let setting = SETTINGS.iter().find(|s| s.key == *key);
            assert!(setting.is_some_and(|s| s.value.accepts(value)), "{key} = {value}");
        }
        let table = table();
        assert!(table.contains("| highwater.session.at-gap | default | separate |"), "{table}");
    }

    #[test]
    fn what_is_written_comes_before_the_profile() {
        let mut settings = Settings::default();
        let key = "highwater.emit.panes";
        assert_eq!(value(&settings, key), None);
        settings.values.insert(PROFILE.into(), "beam".into());
        assert_eq!(value(&settings, key), Some("discarding"));
        settings.values.insert(key.into(), "retracting".into());
        assert_eq!(value(&settings, key), Some("retracting"));
    }
}
