//! The week of earthquakes once more, by a few lines that know nothing of the engine: records in the
//! order they were seen, a running watermark, plain loops.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use highwater::sandbox::WasmtimeSandbox;
use highwater_engine::session::{Options, Session};
use highwater_engine::trace::What;

use crate::example;

const HOUR: i64 = 3_600_000;
const DELAY: i64 = 6 * HOUR;

#[derive(Clone)]
struct Quake {
    seq: u64,
    id: String,
    net: String,
    mag: f64,
    lat: f64,
    lon: f64,
    depth: f64,
    time: i64,
    /// The watermark before this record.
    watermark: i64,
}

/// The records in the order they were seen, each with the watermark it met.
fn quakes() -> Vec<Quake> {
    let text = fs::read_to_string(example::folder().join("data/earthquakes.jsonl")).expect("data");
    let mut rows: Vec<serde_json::Value> =
        text.lines().map(|l| serde_json::from_str(l).expect("a record")).collect();
    rows.sort_by_key(|r| r["seen_time"].as_i64());
    let mut watermark = i64::MIN;
    let mut quakes = Vec::new();
    for (i, r) in rows.iter().enumerate() {
        let number = |name: &str| r[name].as_f64().expect("a number");
        let text = |name: &str| r[name].as_str().expect("a text").to_owned();
        let time = r["event_time"].as_i64().expect("a time");
        quakes.push(Quake {
            seq: i as u64 + 1,
            id: text("id"),
            net: text("net"),
            mag: number("mag"),
            lat: number("lat"),
            lon: number("lon"),
            depth: number("depth_km"),
            time,
            watermark,
        });
        watermark = watermark.max(time - DELAY);
    }
    assert_eq!(quakes.len(), 1707);
    quakes
}

/// What the engine gives: rows of each table as text, and late records by the kind of task.
struct Engine {
    tables: BTreeMap<String, Vec<Vec<String>>>,
    late: BTreeMap<String, Vec<u64>>,
}

fn engine(example: &str) -> Engine {
    let example = example::open(example);
    let sandbox = Arc::new(WasmtimeSandbox::default());
    let mut session =
        Session::open(&example.name, &example.text, &example.files, sandbox, &Options::default())
            .expect("the example opens");
    let status = session.finish();
    assert!(status.finished, "{:?}", status.failed);
    let tables = session.tables().into_iter().map(|t| {
        let mut rows: Vec<Vec<String>> =
            t.rows.iter().map(|(_, _, r)| r.iter().map(|v| v.to_text()).collect()).collect();
        rows.sort();
        (t.spec.table, rows)
    });
    let mut late: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in session.events() {
        if let What::Late { seq, .. } | What::JoinLate { seq, .. } = event.what {
            let kind = session.header().tasks[usize::from(event.task)].kind.clone();
            late.entry(kind).or_default().push(seq);
        }
    }
    Engine { tables: tables.collect(), late }
}

fn stamp(ms: i64) -> String {
    // 2018-01-31 00:00:00 is 1,517,356,800 s after 1970; the week stays within two months.
    let since = ms - 1_517_356_800_000;
    let (day, rest) = (since.div_euclid(24 * HOUR), since.rem_euclid(24 * HOUR));
    let date =
        if day <= 0 { format!("2018-01-{:02}", 31 + day) } else { format!("2018-02-{day:02}") };
    let (h, m, s) = (rest / HOUR, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{date} {h:02}:{m:02}:{s:02}.{:03}", rest % 1000)
}

fn float(v: f64) -> String {
    format!("{v:?}")
}

#[test]
fn counts_swarms_pairs_and_late_records_equal_a_plain_computation() {
    let quakes = quakes();
    let engine = engine("earthquakes.md");
    let (counts, late) = counts(&quakes);
    assert_eq!(engine.tables["counts"], counts);
    assert_eq!(engine.late["window"], late);
    let (swarms, late) = swarms(&quakes);
    assert_eq!(engine.tables["swarms"], swarms);
    assert_eq!(engine.late["guest-window"], late);
    let (pairs, late) = pairs(&quakes);
    assert!(!pairs.is_empty());
    assert_eq!(engine.tables["pairs"].len(), pairs.len());
    let got: Vec<[String; 2]> =
        engine.tables["pairs"].iter().map(|r| [r[0].clone(), r[3].clone()]).collect();
    assert_eq!(got, pairs);
    assert_eq!(engine.late.get("guest-join").cloned().unwrap_or_default(), late);
}

/// Six-hour windows: count and greatest magnitude per network; late when the window's last millisecond
/// is not after the watermark.
fn counts(quakes: &[Quake]) -> (Vec<Vec<String>>, Vec<u64>) {
    let mut windows: BTreeMap<(String, i64), (i64, f64)> = BTreeMap::new();
    let mut late = Vec::new();
    for q in quakes {
        let start = q.time.div_euclid(6 * HOUR) * 6 * HOUR;
        if start + 6 * HOUR - 1 <= q.watermark {
            late.push(q.seq);
            continue;
        }
        let entry = windows.entry((q.net.clone(), start)).or_insert((0, f64::NEG_INFINITY));
        *entry = (entry.0 + 1, if q.mag > entry.1 { q.mag } else { entry.1 });
    }
    let mut rows: Vec<Vec<String>> = windows
        .into_iter()
        .map(|((net, start), (n, max))| {
            vec![net, stamp(start), stamp(start + 6 * HOUR), n.to_string(), float(max)]
        })
        .collect();
    rows.sort();
    (rows, late)
}

struct Swarm {
    start: i64,
    end: i64,
    quakes: i64,
    max: f64,
    metres: i64,
}

/// Sessions whose gap is 30 minutes and 30 more a magnitude (held between 0 and 10).
fn swarms(quakes: &[Quake]) -> (Vec<Vec<String>>, Vec<u64>) {
    let mut open: BTreeMap<String, Vec<Swarm>> = BTreeMap::new();
    let mut done: Vec<(String, Swarm)> = Vec::new();
    let mut late = Vec::new();
    for q in quakes {
        for (net, swarms) in &mut open {
            let (closed, still): (Vec<Swarm>, Vec<Swarm>) =
                std::mem::take(swarms).into_iter().partition(|s| s.end - 1 <= q.watermark);
            done.extend(closed.into_iter().map(|s| (net.clone(), s)));
            *swarms = still;
        }
        let m = if q.mag > 10.0 {
            10.0
        } else if q.mag > 0.0 {
            q.mag
        } else {
            0.0
        };
        let gap = 30 * 60_000 + (30.0 * 60_000.0 * m) as i64;
        let mut swarm = Swarm {
            start: q.time,
            end: q.time + gap,
            quakes: 1,
            max: q.mag,
            metres: (q.depth * 1000.0).round() as i64,
        };
        let of_net = open.entry(q.net.clone()).or_default();
        let touches = |s: &Swarm| s.start <= q.time + gap && q.time <= s.end;
        let end = of_net.iter().filter(|s| touches(s)).map(|s| s.end).fold(swarm.end, i64::max);
        if end - 1 <= q.watermark {
            late.push(q.seq);
            continue;
        }
        let (near, mut rest): (Vec<Swarm>, Vec<Swarm>) =
            std::mem::take(of_net).into_iter().partition(touches);
        for s in near {
            swarm.start = swarm.start.min(s.start);
            swarm.end = swarm.end.max(s.end);
            swarm.quakes += s.quakes;
            swarm.max = if s.max > swarm.max { s.max } else { swarm.max };
            swarm.metres += s.metres;
        }
        rest.push(swarm);
        *of_net = rest;
    }
    done.extend(open.into_iter().flat_map(|(net, l)| l.into_iter().map(move |s| (net.clone(), s))));
    let mut rows: Vec<Vec<String>> = done
        .into_iter()
        .filter(|(_, s)| s.quakes >= 20)
        .map(|(net, s)| {
            let mean = s.metres as f64 / s.quakes as f64 / 1000.0;
            let (from, to) = (stamp(s.start), stamp(s.end));
            vec![net, from, to, s.quakes.to_string(), float(s.max), float(mean)]
        })
        .collect();
    rows.sort();
    (rows, late)
}

/// Pairs within two days and the radius of Gardner and Knopoff; of two records the later to arrive must
/// still find the earlier one, which is kept until the watermark passes its reach.
fn pairs(quakes: &[Quake]) -> (Vec<[String; 2]>, Vec<u64>) {
    let two_days = 48 * HOUR;
    let matches = |a: &Quake, b: &Quake| {
        let apart = b.time - a.time;
        if a.id == b.id || !(0..=two_days).contains(&apart) || a.mag < 4.0 || b.mag > a.mag {
            return false;
        }
        let rad = |d: f64| d.to_radians();
        let h = ((rad(b.lat) - rad(a.lat)) / 2.0).sin().powi(2)
            + rad(a.lat).cos() * rad(b.lat).cos() * ((rad(b.lon) - rad(a.lon)) / 2.0).sin().powi(2);
        let km = 2.0 * 6371.0088 * h.sqrt().min(1.0).asin();
        km <= 10_f64.powf(0.1238 * a.mag + 0.983)
    };
    let mut pairs = Vec::new();
    for (i, late) in quakes.iter().enumerate() {
        for early in &quakes[..i] {
            // As the first of a pair a record is kept until its time and two days, as the second until its time.
            if early.time + two_days > late.watermark && matches(early, late) {
                pairs.push([early.id.clone(), late.id.clone()]);
            }
            if early.time > late.watermark && matches(late, early) {
                pairs.push([late.id.clone(), early.id.clone()]);
            }
        }
    }
    pairs.sort();
    (pairs, late_for_the_join(quakes, two_days))
}

/// Records that meet nobody and come too late to be kept, once for each side they fail on.
fn late_for_the_join(quakes: &[Quake], two_days: i64) -> Vec<u64> {
    let mut late = Vec::new();
    for (i, q) in quakes.iter().enumerate() {
        let before = &quakes[..i];
        // As a main shock: kept while its time and two days lie ahead of the watermark.
        let kept = q.time + two_days > q.watermark;
        let meets = before
            .iter()
            .any(|o| o.time > q.watermark && (0..=two_days).contains(&(o.time - q.time)));
        if !kept && !meets {
            late.push(q.seq);
        }
        // As an aftershock: kept while its time lies ahead; it may meet itself among the main shocks.
        let meets = before.iter().any(|o| {
            o.time + two_days > q.watermark && (0..=two_days).contains(&(q.time - o.time))
        });
        if q.time <= q.watermark && !meets && !kept {
            late.push(q.seq);
        }
    }
    late
}

/// The cell of a place: its fractions of the two axes as whole numbers, their bits taken in turn.
fn cell(lat: f64, lon: f64, length: u32) -> String {
    let fraction = |at: f64, half: f64| ((at + half) / (2.0 * half) * (1_u64 << 40) as f64) as u64;
    let (lat, lon) = (fraction(lat, 90.0), fraction(lon, 180.0));
    let bit = |i: u32| (if i.is_multiple_of(2) { lon } else { lat } >> (39 - i / 2) & 1) as usize;
    let digits = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let letter = |l: u32| digits[(0..5).fold(0, |n, i| n << 1 | bit(l * 5 + i))] as char;
    (0..length).map(letter).collect()
}

/// Days: count and greatest magnitude per cell of the quakes of magnitude 1 and more, and who was late.
#[test]
fn a_guests_function_names_the_cells_of_a_plain_computation() {
    const DAY: i64 = 24 * HOUR;
    let mut days: BTreeMap<(i64, String), (u64, f64)> = BTreeMap::new();
    let mut late = Vec::new();
    for q in quakes().into_iter().filter(|q| q.mag >= 1.0) {
        let day = q.time.div_euclid(DAY) * DAY;
        if day + DAY - 1 <= q.watermark {
            late.push(q.seq);
            continue;
        }
        let (n, strongest) =
            days.entry((day, cell(q.lat, q.lon, 3))).or_insert((0, f64::NEG_INFINITY));
        *n += 1;
        if q.mag > *strongest {
            *strongest = q.mag;
        }
    }
    let many = days.into_iter().filter(|(_, (n, _))| *n >= 8);
    let mut rows: Vec<Vec<String>> =
        many.map(|((day, cell), (n, m))| vec![cell, stamp(day), n.to_string(), float(m)]).collect();
    rows.sort();
    let engine = engine("cells.md");
    assert_eq!(rows.len(), 6);
    assert_eq!(engine.tables["cells"], rows);
    assert_eq!(engine.late["window"], late);
}
