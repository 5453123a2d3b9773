//! `highwater bench growth` as a user meets it, on streams so short that its figures mean nothing.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

fn growth(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(["bench", "growth"]).args(args).current_dir(folder);
    command.output().expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn every_axis_is_measured_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let few = ["--records", "20000", "--repeats", "1", "--chart", "growth.svg"];
    let output = growth(folder.path(), &[&few[..], &["--json"]].concat());
    // How much costs grow here is chance, and only said.
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = text(&output.stdout).lines();
    let lines: Vec<Json> = lines.map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let of = |axis: &str, field: &str| -> Vec<Json> {
        let lines = lines.iter().filter(|line| line["axis"] == axis);
        lines.map(|line| line[field].clone()).filter(|value| !value.is_null()).collect()
    };
    for (axis, points, verdicts) in [
        ("records", 1, 1),
        ("keys", 5, 1),
        ("batch-rows", 6, 0),
        ("disorder", 5, 0),
        ("overlap", 5, 1),
    ] {
        assert_eq!(of(axis, "value").len(), 2 * points, "{axis}");
        assert_eq!(of(axis, "met").len(), verdicts, "{axis}");
        let (engines, rows) = (of(axis, "engine"), of(axis, "rows"));
        assert!(engines.chunks(2).all(|e| e[0] == "loop" && e[1] == "native"), "{engines:?}");
        assert!(rows.chunks(2).all(|r| r[0] == r[1] && r[0].as_u64() > Some(0)), "{rows:?}");
        for field in ["workload", "seconds", "cpu_seconds", "records_per_s", "ratio", "late"] {
            assert_eq!(of(axis, field).len(), 2 * points, "{axis}: {field}");
        }
    }
    assert_eq!(of("records", "value"), [20_000, 20_000]);
    assert_eq!(of("state", "snapshot_bytes_per_pane_and_key").len(), 2);
    let svg = std::fs::read_to_string(folder.path().join("growth.svg")).expect("drawn");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for title in ["Records in the stream", "Keys in the stream", "Records in a batch"] {
        assert!(svg.contains(title), "{title}");
    }
    assert!(svg.contains("Disorder in seconds") && svg.contains("Windows a record is in"));
}

#[test]
fn people_get_tables_of_the_axes_they_name() {
    let few = ["--records", "20000", "--repeats", "1", "--axis", "overlap,records"];
    let output = growth(Path::new("."), &few);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    // In the order of all axes, whatever the one of the arguments.
    let places = ["Records in the stream", "20 k", ": 1.00; at most 1.5: met", "Windows a record"]
        .map(|part| table.find(part).unwrap_or_else(|| panic!("no `{part}` in\n{table}")));
    assert!(places.is_sorted(), "{table}");
    assert!(!table.contains("Disorder"), "{table}");
    assert!(table.contains("growth of an event's cost: ") && table.contains("open windows"));
}

#[test]
fn a_verdict_that_is_met_passes_strictly() {
    // One stream alone grows in no way.
    let strict = ["--records", "5000", "--repeats", "2", "--axis", "records", "--strict"];
    assert_eq!(growth(Path::new("."), &strict).status.code(), Some(0));
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    for (args, told) in [
        (&["--records", "0"][..], "0 is not in 1..=10000000000"),
        (&["--repeats", "0"], "0 is not in 1.."),
        (&["--axis", "colours"], "the axes are records, keys, batch-rows, disorder, overlap"),
        (&["--chart", "no/such/folder/a.svg"], "cannot write `no/such/folder/a.svg`"),
        (&["--chart", "."], "cannot write `.`: it is a folder"),
        (&["--here", "9", "--engine", "loop", "--axis", "keys"], "a point of one axis"),
    ] {
        let output = growth(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(told) && !stderr.contains("measuring"), "{args:?}: {stderr}");
    }
}
