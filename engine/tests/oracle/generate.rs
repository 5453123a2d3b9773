//! Random pipelines.

use crate::input::Dice;
use crate::pipeline::{Call, Compare, Function, Kind, Node, On, Residual, Test, Windows};

/// A pipeline, sound.
pub fn pipeline(dice: &mut Dice) -> Node {
    loop {
        let depth = 1 + dice.below(3);
        let node = if dice.once_in(2) { table(dice, depth) } else { timed(dice, depth) };
        if node.sound() && (2..=9).contains(&node.size()) {
            return node;
        }
    }
}

fn number(dice: &mut Dice) -> usize {
    dice.below(6) as usize
}

fn test(dice: &mut Dice) -> Test {
    let than = (!dice.once_in(6)).then(|| (dice.of(&Compare::ALL), dice.below(7) as i64));
    Test { column: number(dice), than }
}

fn windows(dice: &mut Dice) -> Windows {
    let step = dice.of(&[1, 1_000, 3_000, 5_000, 10_000]);
    let offset = dice.of(&[0, 0, 1, -700, 1_000]);
    match dice.below(5) {
        0 | 1 => Windows::Aligned(step, step, offset),
        2 | 3 => Windows::Aligned(step * dice.of(&[2, 3, 5]), step, offset),
        _ => Windows::Session(dice.of(&[1, 1_000, 2_000, 4_000])),
    }
}

fn keys(dice: &mut Dice) -> Vec<usize> {
    (0..dice.of(&[0, 1, 1, 2])).map(|_| number(dice)).collect()
}

fn calls(dice: &mut Dice) -> Vec<Call> {
    let one = |dice: &mut Dice| Call {
        function: dice.of(&Function::ALL),
        column: number(dice),
        filter: dice.once_in(4).then(|| test(dice)),
    };
    (0..dice.of(&[0, 1, 2, 2, 3])).map(|_| one(dice)).collect()
}

fn on(dice: &mut Dice) -> On {
    let keys = dice.of(&[0, 1, 1, 1, 2]);
    let keys = (0..keys).map(|_| (number(dice), number(dice))).collect();
    let residual = dice.once_in(2).then(|| Residual {
        left: number(dice),
        compare: dice.of(&Compare::ALL),
        right: number(dice),
        plus: dice.of(&[0, 0, 1, -2, 3]),
    });
    On { keys, residual }
}

fn both(dice: &mut Dice, depth: u64, make: impl Fn(&mut Dice, u64) -> Node) -> Box<[Node; 2]> {
    let depth = if dice.once_in(2) { [depth, 0] } else { [0, depth] };
    Box::new(depth.map(|depth| make(dice, depth)))
}

/// Rows with an event time.
fn timed(dice: &mut Dice, depth: u64) -> Node {
    if depth == 0 {
        let source = Node::Source(dice.below(2) as usize);
        return match dice.below(5) {
            0 | 1 => Node::Filter(Box::new(source), test(dice)),
            2 => Node::Map(Box::new(source), exprs(dice)),
            _ => source,
        };
    }
    let depth = depth - 1;
    match dice.below(12) {
        0 => Node::Filter(Box::new(timed(dice, depth)), test(dice)),
        1 => Node::Map(Box::new(timed(dice, depth)), exprs(dice)),
        2..=4 => {
            let input = Box::new(timed(dice, depth));
            Node::Window(input, windows(dice), keys(dice), calls(dice))
        }
        5 => Node::Union(both(dice, depth, timed)),
        6 | 7 => {
            let bounds = dice.of(&[[0, 0], [-2_000, 2_000], [0, 5_000], [-6_000, 3_000], [1, 999]]);
            Node::Interval(both(dice, depth, timed), bounds, on(dice), dice.below(2) as usize)
        }
        8..=10 => {
            let spec = windows(dice);
            let sides = both(dice, depth, |dice, depth| windowed(dice, depth, spec));
            Node::WindowJoin(sides, dice.of(&Kind::ALL), on(dice))
        }
        _ => Node::Rows(Box::new(timed(dice, depth)), aligned(dice)),
    }
}

fn exprs(dice: &mut Dice) -> Vec<(usize, i64)> {
    (0..1 + dice.below(3)).map(|_| (number(dice), dice.of(&[0, 0, 1, -3]))).collect()
}

fn aligned(dice: &mut Dice) -> Windows {
    loop {
        let windows = windows(dice);
        if matches!(windows, Windows::Aligned(..)) {
            return windows;
        }
    }
}

/// Rows in these windows, aggregated or not.
fn windowed(dice: &mut Dice, depth: u64, windows: Windows) -> Node {
    let input = Box::new(timed(dice, depth.min(1)));
    match windows {
        Windows::Aligned(..) if dice.once_in(2) => Node::Rows(input, windows),
        _ => Node::Window(input, windows, keys(dice), calls(dice)),
    }
}

/// Rows that may be taken back.
fn table(dice: &mut Dice, depth: u64) -> Node {
    if depth == 0 {
        let depth = u64::from(dice.once_in(3));
        return timed(dice, depth);
    }
    let depth = depth - 1;
    match dice.below(12) {
        0 => Node::Filter(Box::new(table(dice, depth)), test(dice)),
        1 => Node::Union(both(dice, depth, table)),
        2..=4 => Node::Group(Box::new(table(dice, depth)), keys(dice), calls(dice)),
        5 => {
            let list = (0..1 + dice.below(2)).map(|_| number(dice)).collect();
            Node::Distinct(Box::new(table(dice, depth)), list)
        }
        6..=9 => Node::Join(both(dice, depth, table), dice.of(&Kind::ALL), on(dice)),
        10 => {
            let sides = both(dice, depth, table);
            Node::In(sides, dice.once_in(2), number(dice), number(dice))
        }
        _ => timed(dice, depth),
    }
}
