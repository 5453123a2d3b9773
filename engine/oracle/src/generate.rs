//! Random pipelines.

use crate::input::Dice;
use crate::parts::{
    Call, Compare, Emission, Frame, Function, Kind, Mode, On, Rank, Read, Residual, Sets, Sort,
    Test, Trigger, Wait, Windows, Written,
};
use crate::pipeline::Node;
use crate::types::{PLAIN, Type};

/// Triggers that are never through.
const COMPOSED: [&str; 6] = [
    "repeatedly(after_count(2))",
    "repeatedly(after_any(after_count(4), after_watermark()))",
    "repeatedly(after_each(after_count(1), after_count(3)))",
    "repeatedly(after_processing_time('1 s', '5 s'))",
    "repeatedly(or_finally(repeatedly(after_count(2)), after_all(after_watermark(), after_count(3))))",
    "after_watermark(early => after_any(after_count(3), after_processing_time('2 s')), \
     late => after_all(after_count(1), after_count(2)))",
];

/// A pipeline, sound.
pub(crate) fn pipeline(dice: &mut Dice) -> Node {
    loop {
        let depth = 1 + dice.below(3);
        let node = if dice.once_in(2) { table(dice, depth) } else { timed(dice, depth) };
        if node.sound() && (2..=9).contains(&node.size()) {
            return node;
        }
    }
}

/// A step that can stand over its inputs, whatever these are; another one where that cannot be.
fn fitting(
    dice: &mut Dice,
    make: impl Fn(&mut Dice) -> Node,
    other: impl Fn(&mut Dice) -> Node,
) -> Node {
    for _ in 0..6 {
        let node = make(dice);
        if node.sound() {
            return node;
        }
    }
    other(dice)
}

fn number(dice: &mut Dice) -> usize {
    dice.below(6) as usize
}

fn numbers(dice: &mut Dice, count: u64) -> Vec<usize> {
    (0..count).map(|_| number(dice)).collect()
}

fn test(dice: &mut Dice) -> Test {
    let than = (!dice.once_in(6)).then(|| (dice.of(&Compare::ALL), dice.below(7) as i64));
    Test { column: number(dice), than }
}

fn windows(dice: &mut Dice) -> Windows {
    let step = dice.of(&[1, 1_000, 3_000, 5_000, 10_000]);
    let offset = dice.of(&[0, 0, 1, -700, 1_000]);
    match dice.below(7) {
        0 | 1 => Windows::Aligned(step, step, offset),
        2 | 3 => Windows::Aligned(step * dice.of(&[2, 3, 5]), step, offset),
        4 => Windows::Cumulate(step * dice.of(&[2, 3, 4]), step, offset),
        _ => Windows::Session(dice.of(&[1, 1_000, 2_000, 4_000])),
    }
}

fn keys(dice: &mut Dice) -> Vec<usize> {
    let count = dice.of(&[0, 1, 1, 2]);
    numbers(dice, count)
}

fn some_calls(dice: &mut Dice, count: u64, functions: &[Function]) -> Vec<Call> {
    let one = |dice: &mut Dice| Call {
        function: dice.of(functions),
        column: number(dice),
        filter: dice.once_in(4).then(|| test(dice)),
    };
    (0..count).map(|_| one(dice)).collect()
}

fn calls(dice: &mut Dice) -> Vec<Call> {
    let count = dice.of(&[0, 1, 2, 2, 3]);
    some_calls(dice, count, &Function::ALL)
}

fn residual(dice: &mut Dice) -> Residual {
    Residual {
        left: number(dice),
        compare: dice.of(&Compare::ALL),
        right: number(dice),
        plus: dice.of(&[0, 0, 1, -2, 3]),
    }
}

fn on(dice: &mut Dice) -> On {
    let keys = dice.of(&[0, 1, 1, 1, 2]);
    let keys = (0..keys).map(|_| (number(dice), number(dice))).collect();
    On { keys, residual: dice.once_in(2).then(|| residual(dice)) }
}

fn near(dice: &mut Dice) -> [i64; 2] {
    dice.of(&[[0, 0], [-2_000, 2_000], [0, 5_000], [-6_000, 3_000], [1, 999], [-4_000, -1_000]])
}

fn sets(dice: &mut Dice) -> Sets {
    match dice.below(3) {
        0 => Sets::Rollup,
        1 => Sets::Cube,
        _ => Sets::Listed((0..2 + dice.below(2)).map(|_| dice.below(8)).collect()),
    }
}

fn rank(dice: &mut Dice) -> Rank {
    let first = dice.of(&[1, 1, 1, 2, 3]);
    let sort = |dice: &mut Dice| Sort {
        column: number(dice),
        descending: dice.once_in(2),
        nulls_first: dice.of(&[None, None, Some(false), Some(true)]),
    };
    Rank {
        keys: keys(dice),
        order: (0..1 + dice.below(2)).map(|_| sort(dice)).collect(),
        first,
        last: first + dice.below(3),
        numbered: dice.once_in(2),
        written: dice.of(&[Written::Nested, Written::Qualify, Written::Limit]),
    }
}

fn emission(dice: &mut Dice) -> Emission {
    let waits = [
        None,
        Some(Wait::Records(1)),
        Some(Wait::Records(2)),
        Some(Wait::Records(3)),
        Some(Wait::Millis(2_000)),
        Some(Wait::Millis(500)),
    ];
    let delays = [None, Some(0), Some(1_000)];
    let trigger = match dice.below(5) {
        0 => Trigger::Fires([dice.of(&delays), dice.of(&delays)]),
        1 | 2 => Trigger::Watermark([dice.of(&waits), dice.of(&waits)]),
        3 => Trigger::Watermark([dice.of(&waits), dice.of(&waits[1..])]),
        _ => Trigger::Composed(dice.of(&COMPOSED)),
    };
    Emission {
        trigger,
        lateness: dice.of(&[0, 1, 2_000, 8_000, 100_000]),
        mode: dice.of(&[Mode::Retracting, Mode::Accumulating, Mode::Discarding]),
        read: dice.of(&[Read::Each, Read::Whole]),
        non_empty: dice.once_in(4),
        by_record: dice.once_in(6),
        apart: dice.once_in(4),
    }
}

fn both(dice: &mut Dice, depth: u64, make: impl Fn(&mut Dice, u64) -> Node) -> Box<[Node; 2]> {
    let depth = if dice.once_in(2) { [depth, 0] } else { [0, depth] };
    Box::new(depth.map(|depth| make(dice, depth)))
}

/// A table's records, maybe some of them, maybe other columns.
fn source(dice: &mut Dice) -> Node {
    let mut own = || if dice.once_in(2) { dice.of(&Type::ALL) } else { Type::BigInt };
    let dress = [own(), own(), own()];
    let dress = if dice.once_in(2) { dress } else { PLAIN };
    let source = Node::Source(dice.below(2) as usize, dress);
    match dice.below(5) {
        0 | 1 => Node::Filter(Box::new(source), test(dice)),
        2 => Node::Map(Box::new(source), exprs(dice)),
        _ => source,
    }
}

/// Rows with an event time.
fn timed(dice: &mut Dice, depth: u64) -> Node {
    if depth == 0 {
        return source(dice);
    }
    let depth = depth - 1;
    let below = |dice: &mut Dice| Box::new(timed(dice, depth));
    match dice.below(24) {
        0 => Node::Filter(below(dice), test(dice)),
        1 => Node::Map(below(dice), exprs(dice)),
        2..=5 => aggregated(dice, depth),
        6 => Node::Union(both(dice, depth, timed)),
        7..=10 => Node::Interval(
            both(dice, depth, timed),
            dice.of(&[Kind::Inner, Kind::Left, Kind::Right, Kind::Full]),
            near(dice),
            on(dice),
            dice.below(2) as usize,
        ),
        11..=14 => {
            let spec = windows(dice);
            let sides = both(dice, depth, |dice, depth| windowed(dice, depth, spec));
            Node::WindowJoin(sides, dice.of(&Kind::ALL), on(dice))
        }
        15 | 16 => temporal(dice, depth),
        17 => fitting(dice, |dice| Node::First(Box::new(source_rows(dice)), keys(dice)), source),
        18 => {
            let spec = windows(dice);
            Node::WindowTop(Box::new(windowed(dice, depth, spec)), rank(dice))
        }
        19 => {
            let spec = windows(dice);
            Node::Carried(Box::new(windowed(dice, depth, spec)), keys(dice), calls(dice))
        }
        20..=22 => over(dice, depth),
        _ => Node::Rows(below(dice), windows(dice)),
    }
}

/// A table's records, maybe in windows: of equal ones it is known which is first.
fn source_rows(dice: &mut Dice) -> Node {
    let source = source(dice);
    if dice.once_in(4) { Node::Rows(Box::new(source), aligned(dice)) } else { source }
}

fn temporal(dice: &mut Dice, depth: u64) -> Node {
    let right = match dice.once_in(2) {
        true => Node::Versions(dice.below(2) as usize),
        false => Node::Last(Box::new(source_rows(dice)), numbers(dice, 1)),
    };
    let sides = Box::new([timed(dice, depth), right]);
    let residual = dice.once_in(3).then(|| Residual {
        compare: dice.of(&[Compare::Less, Compare::AtMost, Compare::Unequal, Compare::More]),
        ..residual(dice)
    });
    Node::Temporal(sides, dice.once_in(2), numbers(dice, 1), residual)
}

fn over(dice: &mut Dice, depth: u64) -> Node {
    let frame = dice.of(&[
        Frame::Rows(None),
        Frame::Rows(Some(0)),
        Frame::Rows(Some(2)),
        Frame::Range(None),
        Frame::Range(Some(0)),
        Frame::Range(Some(1_000)),
        Frame::Range(Some(6_000)),
    ]);
    let count = 1 + dice.below(3);
    let calls = some_calls(dice, count, &Function::ALL);
    let rows = matches!(frame, Frame::Rows(_));
    let input = if rows { source_rows(dice) } else { timed(dice, depth) };
    Node::Over(Box::new(input), keys(dice), frame, calls)
}

/// An aggregation of windows.
fn aggregated(dice: &mut Dice, depth: u64) -> Node {
    let input = Box::new(timed(dice, depth));
    let made = match dice.once_in(4) {
        true => {
            let count = 1 + dice.below(3);
            let keys = numbers(dice, count);
            Node::Sets(input, Some(windows(dice)), keys, sets(dice), calls(dice))
        }
        false => Node::Window(input, windows(dice), keys(dice), calls(dice)),
    };
    if dice.once_in(4) { Node::Having(Box::new(made), test(dice)) } else { made }
}

fn exprs(dice: &mut Dice) -> Vec<(usize, i64)> {
    (0..1 + dice.below(3)).map(|_| (number(dice), dice.of(&[0, 0, 1, -3]))).collect()
}

/// Windows that rows can be assigned to one by one.
fn aligned(dice: &mut Dice) -> Windows {
    loop {
        let windows = windows(dice);
        if !matches!(windows, Windows::Session(_)) {
            return windows;
        }
    }
}

/// Rows in these windows, aggregated or not.
fn windowed(dice: &mut Dice, depth: u64, windows: Windows) -> Node {
    let input = Box::new(timed(dice, depth.min(1)));
    match dice.once_in(2) {
        true => Node::Rows(input, windows),
        false => Node::Window(input, windows, keys(dice), calls(dice)),
    }
}

/// Windows that fire as they are told.
fn panes(dice: &mut Dice, depth: u64) -> Node {
    let emission = emission(dice);
    let adds_up = emission.mode == Mode::Discarding && emission.read == Read::Whole;
    let parts = [Function::CountAll, Function::Count, Function::Sum, Function::Min, Function::Max];
    let functions = if adds_up { &parts[..] } else { &Function::ALL[..] };
    let count = dice.of(&[0, 1, 2, 2, 3]);
    let calls = some_calls(dice, count, functions);
    let depth = depth.min(1);
    Node::Panes(Box::new(timed(dice, depth)), windows(dice), keys(dice), calls, emission)
}

/// Rows that may be taken back.
fn table(dice: &mut Dice, depth: u64) -> Node {
    if depth == 0 {
        let depth = u64::from(dice.once_in(3));
        return timed(dice, depth);
    }
    let depth = depth - 1;
    let below = |dice: &mut Dice| Box::new(table(dice, depth));
    match dice.below(34) {
        0 => Node::Filter(below(dice), test(dice)),
        1 => Node::Union(both(dice, depth, table)),
        2 => Node::Merged(both(dice, depth, table)),
        3..=7 => Node::Group(below(dice), keys(dice), calls(dice)),
        8 => {
            let group = Node::Group(below(dice), keys(dice), calls(dice));
            Node::Having(Box::new(group), test(dice))
        }
        9 | 10 => {
            let count = 1 + dice.below(3);
            let keys = numbers(dice, count);
            Node::Sets(below(dice), None, keys, sets(dice), calls(dice))
        }
        11 => {
            let count = 1 + dice.below(2);
            Node::Distinct(below(dice), numbers(dice, count))
        }
        12..=16 => Node::Join(both(dice, depth, table), dice.of(&Kind::ALL), on(dice)),
        17 => {
            let sides = both(dice, depth, table);
            Node::In(sides, dice.once_in(2), number(dice), number(dice))
        }
        18 => {
            let sides = both(dice, depth, timed);
            Node::Near(sides, dice.once_in(2), near(dice), on(dice))
        }
        19 => Node::Against(
            both(dice, depth, table),
            number(dice),
            dice.of(&Compare::ALL),
            dice.of(&[Function::Max, Function::Min, Function::Sum]),
            number(dice),
        ),
        20..=22 => Node::Top(below(dice), rank(dice)),
        23 => {
            let limit =
                Rank { keys: Vec::new(), numbered: false, written: Written::Limit, ..rank(dice) };
            Node::Top(below(dice), limit)
        }
        24 => {
            let count = 1 + dice.below(2);
            Node::Last(Box::new(source_rows(dice)), numbers(dice, count))
        }
        25..=31 => fitting(dice, |dice| panes(dice, depth), |dice| timed(dice, depth)),
        32 => fitting(
            dice,
            |dice| {
                let windows = if dice.once_in(2) { aggregated(dice, 0) } else { panes(dice, 0) };
                Node::Late(Box::new(windows))
            },
            |dice| timed(dice, depth),
        ),
        _ => timed(dice, depth),
    }
}
