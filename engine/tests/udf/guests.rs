//! The guests written with the SDK, built for WebAssembly and run: they answer as their rule says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, Float64Array, StringArray};
use highwater_engine::udf::manifest::Manifest;
use highwater_engine::udf::{Guest, Side};
use highwater_engine::value::Value;

use crate::{admit, sandbox};

#[allow(clippy::disallowed_methods, reason = "a test reads what it has built")]
/// Builds a guest as a user would and reads it.
pub fn built(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target: PathBuf = root.join("target").join("udf-tests");
    let status = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["build", "--quiet", "--profile", "wasm", "--target", "wasm32-unknown-unknown"])
        .args(["-p", &format!("highwater-{name}"), "--target-dir"])
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guest builds; is the target wasm32-unknown-unknown there?");
    let file = target.join("wasm32-unknown-unknown/wasm").join(format!("{name}.wasm"));
    std::fs::read(file).expect("cargo has written it")
}

fn guest(name: &str, parameters: &[Value]) -> Guest {
    Guest::new(admit(&built(name)), Arc::new(sandbox::Interpreter), parameters)
}

fn doubles(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Float64Array>())
}

#[test]
fn manifests_are_canonical_and_modules_small() {
    for name in ["swarm", "aftershocks", "tally", "linear", "geohash"] {
        let module = built(name);
        let manifest = Manifest::of_module(&module).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(manifest.name, name);
        let json = manifest.to_json();
        assert!(
            module.windows(json.len()).any(|w| w == json.as_bytes()),
            "the section is the canonical encoding: {json}"
        );
        assert!(module.len() < 32 * 1024, "{name} has {} bytes", module.len());
    }
}

#[test]
fn swarms_grow_with_the_magnitude_and_merge() {
    let minute = 60_000;
    let mut guest = guest("swarm", &[Value::BigInt(30), Value::BigInt(30)]);
    assert!(guest.merges());
    let mut calls = Vec::new();
    let times = [0, 50 * minute, 100 * minute, 400 * minute];
    let columns = [
        doubles(&[Some(2.0), Some(0.0), None, Some(1.0)]),
        doubles(&[Some(10.0), None, Some(2.5), Some(1.0)]),
        doubles(&[Some(1.0), Some(2.0), Some(3.0), Some(4.0)]),
        doubles(&[Some(-1.0), Some(-2.0), Some(-3.0), Some(-4.0)]),
    ];
    let windows = guest.assign(&times, &columns, &[0, 1, 2, 3], &mut calls).expect("windows");
    let wanted = [
        (0, 0, 90 * minute),
        (1, 50 * minute, 80 * minute),
        (2, 100 * minute, 130 * minute),
        (3, 400 * minute, 460 * minute),
    ];
    assert_eq!(windows.iter().collect::<Vec<_>>(), wanted);
    let bounds: Vec<(i64, i64)> = windows.iter().map(|w| (w.1, w.2)).collect();
    assert_eq!(guest.merge_windows(&bounds, &mut calls).expect("groups"), [0, 0, 1, 2]);
    assert_eq!(
        guest.merge_windows(&[(0, 5), (5, 6), (7, 8)], &mut calls).expect("groups"),
        [0, 0, 1]
    );

    let mut slab = guest.init(4, &mut calls).expect("zeros");
    let all = [0, 1, 2, 3];
    guest.accumulate(&times, &columns, &all, &all, &mut slab, &mut calls).expect("added");
    guest.merge(&[(1, 0), (1, 2)], &mut slab, &mut calls).expect("merged");
    let kept: Vec<u8> = [1usize, 3].iter().flat_map(|s| slab[s * 64..][..64].to_vec()).collect();
    assert_eq!(guest.stride(), 64);
    let (slots, columns) =
        guest.result(&[(0, 130 * minute), bounds[3]], &kept, &mut calls).expect("rows");
    assert_eq!(slots, [0, 1]);
    assert_eq!(columns[0].as_primitive::<Int64Type>().values()[..], [3, 1]);
    assert_eq!(columns[1].as_primitive::<Float64Type>().values()[..], [2.0, 1.0]);
    assert_eq!(
        columns[2].as_primitive::<TimestampMillisecondType>().values()[..],
        [0, 400 * minute]
    );
    assert_eq!(columns[3].as_primitive::<Float64Type>().values()[..], [1.0, 4.0]);
    assert_eq!(columns[4].as_primitive::<Float64Type>().values()[..], [-1.0, -4.0]);
    // Two depths were measured, 10 and 2.5 km.
    assert_eq!(columns[5].as_primitive::<Float64Type>().values()[..], [6.25, 1.0]);

    let state = guest.module().manifest().read_state(&slab[64..128]);
    let shown: Vec<String> = state.iter().map(Value::to_text).collect();
    assert_eq!(shown[..4], ["3", "12500", "2", "2.0"]);
    assert_eq!(shown[7], "TRUE");
}

#[test]
fn pairs_near_in_time_and_space_match() {
    let mut guest = guest("aftershocks", &[Value::Double(3.0), Value::Double(1.0)]);
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("ü"), None, Some("c")]));
    let columns = [
        ids,
        doubles(&[Some(5.0), Some(4.0), Some(1.0), Some(4.0)]),
        doubles(&[Some(0.0); 4]),
        doubles(&[Some(0.0), Some(0.3), Some(0.3), Some(0.4)]),
    ];
    let times = [1_000, 2_000, 2_000, 2_000];
    let side = |rows| Side { times: &times, columns: &columns, rows };
    let pairs = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)];
    let mut calls = Vec::new();
    // Rows are positions in the lists given: the right side lists 1, 2, 3, 0.
    let matched =
        guest.join_match(side(&[0, 1]), side(&[1, 2, 3, 0]), &pairs, &mut calls).expect("matched");
    // b near enough, NULL never, c too far, a is itself, b before a is not.
    assert_eq!(matched, [true, false, false, false, false]);
    assert_eq!((calls.len(), calls[0].rows), (1, 5));
}
