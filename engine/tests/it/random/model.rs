//! What a pipeline must give, by plain loops over the records: no batches, no panes, no tables of keys.

use std::collections::{BTreeMap, BTreeSet};

use highwater_engine::batch::RowKind;
use highwater_engine::key::encode;
use highwater_engine::value::Value;

use super::spread::spread;
use super::stream::Record;

/// Which windows.
#[derive(Clone, Copy, Debug)]
pub enum Windows {
    /// Size, step, offset, milliseconds.
    Aligned(i64, i64, i64),
    /// Greatest size, step, offset, milliseconds.
    Cumulate(i64, i64, i64),
    /// The gap, milliseconds.
    Session(i64),
    /// None: a changelog.
    None,
}

/// An aggregate: its name, the column it is over, whether only rows where `b` is TRUE count.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: &'static str,
    pub column: Option<usize>,
    pub distinct: bool,
    pub filter: bool,
    pub separator: Option<&'static str>,
}

/// The column `b`.
const FILTER: usize = 3;

/// A row of a result: kind, place in the stream, values.
pub type Row = (RowKind, u64, Vec<Value>);

/// What happens at the source, in order.
enum Log {
    /// A record of this place.
    Row(u64, usize),
    /// The watermark moves, at this place.
    Mark(u64, i64),
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Active,
    Idle,
    Ended,
}

struct Partition {
    rows: Vec<usize>,
    next: usize,
    last: i64,
    /// Called idle, and no record since.
    quiet: bool,
    doing: Doing,
    high: i64,
}

/// The source's watermark: the least of the active partitions', never falling.
fn step(partitions: &[Partition], now: &mut i64, seq: u64, log: &mut Vec<Log>) {
    let active = partitions.iter().filter(|p| p.doing == Doing::Active).map(|p| p.high);
    if let Some(least) = active.min().filter(|least| least > now) {
        *now = least;
        log.push(Log::Mark(seq, least));
    }
}

fn log(records: &[Record], count: usize, delay: i64, idle: Option<i64>) -> Vec<Log> {
    let of = |p: usize| (0..records.len()).filter(|&i| records[i].partition == p).collect();
    let start = records[0].at;
    let mut partitions: Vec<Partition> = (0..count)
        .map(|p| Partition {
            rows: of(p),
            next: 0,
            last: start,
            quiet: false,
            doing: Doing::Active,
            high: i64::MIN,
        })
        .collect();
    let (mut log, mut seq, mut now) = (Vec::new(), 0, i64::MIN);
    loop {
        let next = |p: &Partition| {
            let at = records[*p.rows.get(p.next)?].at;
            let deadline = idle.filter(|_| !p.quiet).map(|idle| p.last + idle);
            Some(deadline.filter(|d| *d <= at).map_or((at, false), |d| (d, true)))
        };
        let first = (0..count).filter_map(|p| Some((next(&partitions[p])?, p)));
        let Some(((at, falls_silent), p)) = first.min_by_key(|&((at, _), p)| (at, p)) else {
            return log;
        };
        seq += 1;
        if falls_silent {
            (partitions[p].quiet, partitions[p].doing) = (true, Doing::Idle);
            step(&partitions, &mut now, seq, &mut log);
            continue;
        }
        let row = partitions[p].rows[partitions[p].next];
        partitions[p].next += 1;
        (partitions[p].last, partitions[p].quiet) = (at, false);
        if let Some(e) = records[row].e {
            log.push(Log::Row(seq, row));
            partitions[p].doing = Doing::Active;
            partitions[p].high = partitions[p].high.max(e - delay);
            step(&partitions, &mut now, seq, &mut log);
        }
        if partitions[p].next == partitions[p].rows.len() {
            seq += 1;
            partitions[p].doing = Doing::Ended;
            if partitions.iter().all(|p| p.doing == Doing::Ended) {
                log.push(Log::Mark(seq, i64::MAX));
            } else {
                step(&partitions, &mut now, seq, &mut log);
            }
        }
    }
}

fn wide(value: &Value) -> i64 {
    match value {
        Value::Int(v) => i64::from(*v),
        Value::BigInt(v) => *v,
        other => panic!("{other:?} is no integer"),
    }
}

/// The mean of decimals of scale 2, at scale 6, half away from zero.
fn decimal_mean(sum: i128, count: i128) -> Value {
    let scaled = sum * 10_000;
    let half_up = (2 * scaled.abs() + count) / (2 * count);
    Value::Decimal(half_up * scaled.signum(), 6)
}

/// The value with one zero in the place of two.
fn one_zero(value: &Value) -> Value {
    match value {
        Value::Double(v) => Value::Double(v + 0.0),
        other => other.clone(),
    }
}

/// The aggregate over these records.
fn aggregate(call: &Call, records: &[Record], rows: &[usize]) -> Value {
    let wanted =
        |&&row: &&usize| !call.filter || matches!(records[row].cells[FILTER], Value::Boolean(true));
    let rows: Vec<usize> = rows.iter().filter(wanted).copied().collect();
    let Some(column) = call.column else { return Value::BigInt(rows.len() as i64) };
    let cells = rows.iter().map(|&row| &records[row].cells[column]);
    let mut values: Vec<&Value> = cells.filter(|v| !v.is_null()).collect();
    if call.distinct {
        let mut seen = BTreeSet::new();
        values.retain(|v| seen.insert(encode(&[one_zero(v)])));
    }
    let count = values.len();
    let greatest = values.iter().copied().max_by(|a, b| a.total_cmp(b));
    let least = values.iter().copied().min_by(|a, b| a.total_cmp(b));
    let sum = || values.iter().fold(0_i64, |sum, v| sum.wrapping_add(wide(v)));
    match (call.name, values.first()) {
        ("COUNT", _) => Value::BigInt(count as i64),
        (_, None) => Value::Null,
        ("MAX", _) => greatest.cloned().unwrap_or(Value::Null),
        ("MIN", _) => least.cloned().unwrap_or(Value::Null),
        ("FIRST_VALUE", Some(first)) => (*first).clone(),
        ("LAST_VALUE", _) => values[count - 1].clone(),
        ("LISTAGG", _) => {
            let texts: Vec<String> = values.iter().map(|v| v.to_text()).collect();
            Value::String(texts.join(call.separator.unwrap_or(",")).into())
        }
        ("BOOL_AND" | "BOOL_OR", _) => {
            let mut all = values.iter().map(|v| matches!(v, Value::Boolean(true)));
            Value::Boolean(if call.name == "BOOL_OR" { all.any(|v| v) } else { all.all(|v| v) })
        }
        ("VAR_POP" | "VAR_SAMP" | "STDDEV_POP" | "STDDEV_SAMP", _) => spread(call.name, &values),
        (name, Some(Value::Double(_))) => {
            let sum: f64 =
                values.iter().map(|v| if let Value::Double(v) = v { *v } else { 0.0 }).sum();
            Value::Double(if name == "SUM" { sum } else { sum / count as f64 })
        }
        (name, Some(Value::Decimal(..))) => {
            let cents = values.iter().map(|v| if let Value::Decimal(v, _) = v { *v } else { 0 });
            let sum: i128 = cents.sum();
            if name == "SUM" { Value::Decimal(sum, 2) } else { decimal_mean(sum, count as i128) }
        }
        ("SUM", Some(Value::Int(_))) => Value::Int(sum() as i32),
        ("SUM", _) => Value::BigInt(sum()),
        (_, Some(Value::Int(_))) => Value::Int((sum() / count as i64) as i32),
        (_, _) => Value::BigInt(sum() / count as i64),
    }
}

/// Text that tells values apart.
pub fn text(values: &[Value]) -> String {
    values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", ")
}

struct Open {
    key: Vec<Value>,
    start: i128,
    end: i128,
    rows: Vec<usize>,
}

impl Open {
    fn fires(&self, mark: i64) -> bool {
        self.end.min(i64::MAX.into()) - 1 <= mark.into()
    }
}

/// A pipeline over `t`.
pub struct Pipeline<'a> {
    pub records: &'a [Record],
    pub partitions: usize,
    pub delay: i64,
    pub idle: Option<i64>,
    pub windows: Windows,
    pub keys: &'a [usize],
    pub calls: &'a [Call],
}

impl Pipeline<'_> {
    fn key(&self, row: usize) -> Vec<Value> {
        self.keys.iter().map(|&k| one_zero(&self.records[row].cells[k])).collect()
    }

    fn results(&self, rows: &[usize]) -> impl Iterator<Item = Value> {
        self.calls.iter().map(|call| one_zero(&aggregate(call, self.records, rows)))
    }

    /// The rows, and how many records are late. Rows of one place in the stream are in no promised order.
    pub fn rows(&self) -> (Vec<Row>, u64) {
        if let Windows::None = self.windows {
            return (self.changelog(), 0);
        }
        let (mut mark, mut late) = (i64::MIN, 0);
        let (mut open, mut made): (Vec<Open>, Vec<Row>) = (Vec::new(), Vec::new());
        for entry in log(self.records, self.partitions, self.delay, self.idle) {
            match entry {
                Log::Row(_, row) => late += u64::from(!self.place(row, mark, &mut open)),
                Log::Mark(seq, to) => {
                    mark = to;
                    let (fired, still) = open.into_iter().partition(|w| w.fires(mark));
                    open = still;
                    let fired: Vec<Open> = fired;
                    made.extend(fired.iter().map(|w| (RowKind::Insert, seq, self.row(w))));
                }
            }
        }
        assert!(open.is_empty(), "all windows end");
        (made, late)
    }

    fn row(&self, window: &Open) -> Vec<Value> {
        let held = |t: i128| Value::Timestamp(t.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
        let bounds = [held(window.start), held(window.end)];
        window.key.iter().cloned().chain(bounds).chain(self.results(&window.rows)).collect()
    }

    /// The windows of a time.
    fn windows_of(&self, time: i128) -> Vec<(i128, i128)> {
        let (Windows::Aligned(size, step, offset) | Windows::Cumulate(size, step, offset)) =
            self.windows
        else {
            return Vec::new();
        };
        let [size, step, offset] = [size, step, offset].map(i128::from);
        // The last moment there is belongs to the last window that has an end.
        let time = if step == 1 { time.min(i128::from(i64::MAX) - 1) } else { time };
        if let Windows::Cumulate(..) = self.windows {
            let start = (time - offset).div_euclid(size) * size + offset;
            let all = (1..=size / step).map(|k| (start, start + k * step));
            return all.filter(|window| window.1 > time).collect();
        }
        let last = (time - offset).div_euclid(step) * step + offset;
        let starts = (0..size / step).map(|back| last - back * step);
        starts.map(|start| (start, start + size)).collect()
    }

    /// Puts a record into its windows; false when it is late.
    fn place(&self, row: usize, mark: i64, open: &mut Vec<Open>) -> bool {
        let time = i128::from(self.records[row].e.expect("only rows with a time"));
        let key = self.key(row);
        let same = |w: &Open| text(&w.key) == text(&key);
        if let Windows::Session(gap) = self.windows {
            let (start, end) = (time, (time + i128::from(gap)).min(i64::MAX.into()));
            let mut own = Open { key: key.clone(), start, end, rows: Vec::new() };
            let touches = |w: &Open| same(w) && w.start <= own.end && own.start <= w.end;
            if !open.iter().any(touches) && own.fires(mark) {
                return false;
            }
            let (merged, rest): (Vec<Open>, Vec<Open>) =
                std::mem::take(open).into_iter().partition(touches);
            for w in merged {
                (own.start, own.end) = (own.start.min(w.start), own.end.max(w.end));
                own.rows.extend(w.rows);
            }
            // The rows of a session come in one order, whichever part of it they made first.
            own.rows.push(row);
            own.rows.sort();
            *open = rest;
            open.push(own);
            return true;
        }
        let mut placed = false;
        for (start, end) in self.windows_of(time) {
            let own = Open { key: key.clone(), start, end, rows: vec![row] };
            if own.fires(mark) {
                continue;
            }
            placed = true;
            match open.iter_mut().find(|w| (w.start, w.end) == (start, end) && same(w)) {
                Some(w) => w.rows.push(row),
                None => open.push(own),
            }
        }
        placed
    }

    fn changelog(&self) -> Vec<Row> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut made = Vec::new();
        for entry in log(self.records, self.partitions, self.delay, self.idle) {
            let Log::Row(seq, row) = entry else { continue };
            let key = self.key(row);
            let group = groups.entry(text(&key)).or_default();
            let line = |rows: &[usize]| -> Vec<Value> {
                key.iter().cloned().chain(self.results(rows)).collect()
            };
            let before = line(group);
            group.push(row);
            let after = line(group);
            if group.len() == 1 {
                made.push((RowKind::Insert, seq, after));
            } else if text(&before) != text(&after) {
                made.push((RowKind::UpdateBefore, seq, before));
                made.push((RowKind::UpdateAfter, seq, after));
            }
        }
        made
    }
}
