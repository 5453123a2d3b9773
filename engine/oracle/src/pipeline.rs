//! What a pipeline is: a small tree that can be written as SQL, evaluated and cut down.
//!
//! Columns are named by numbers that are taken modulo the number of columns there are, and where types do not fit
//! they are read as numbers, so a tree stays sound whatever its parts are replaced by.

use crate::parts::{
    Call, Compare, Emission, Frame, Function, Kind, Mode, On, Rank, Read, Residual, Sets, Sort,
    Test, Windows,
};
use crate::types::{Dress, PLAIN, Type};

/// Two inputs.
pub type Both = Box<[Node; 2]>;

/// A step of a pipeline over those before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A table's records, their columns as these types.
    Source(usize, Dress),
    /// WHERE.
    Filter(Box<Node>, Test),
    /// A condition on an aggregation's columns, within its query.
    Having(Box<Node>, Test),
    /// Columns plus numbers.
    Map(Box<Node>, Vec<(usize, i64)>),
    /// An aggregation of windows by keys.
    Window(Box<Node>, Windows, Vec<usize>, Vec<Call>),
    /// The same that fires as it is told.
    Panes(Box<Node>, Windows, Vec<usize>, Vec<Call>, Emission),
    /// The rows that windows leave out.
    Late(Box<Node>),
    /// Rows with the windows they are in.
    Rows(Box<Node>, Windows),
    /// An aggregation by the windows that rows carry.
    Carried(Box<Node>, Vec<usize>, Vec<Call>),
    /// UNION ALL.
    Union(Both),
    /// UNION.
    Merged(Both),
    /// `least <= right - left <= most`; the row's time is that of the side named last.
    Interval(Both, Kind, [i64; 2], On, usize),
    /// A join of rows that carry the same windows.
    WindowJoin(Both, Kind, On),
    /// The version of the right, for keys of the left; the left stays alone when true.
    Temporal(Both, bool, Vec<usize>, Option<Residual>),
    /// A table whose rows are versions by its first column; only as the right of a temporal join.
    Versions(usize),
    /// The first row of each key by time.
    First(Box<Node>, Vec<usize>),
    /// The last row of each key by time.
    Last(Box<Node>, Vec<usize>),
    /// Ranks as they change.
    Top(Box<Node>, Rank),
    /// Ranks of the windows that rows carry.
    WindowTop(Box<Node>, Rank),
    /// Aggregates beside each row.
    Over(Box<Node>, Vec<usize>, Frame, Vec<Call>),
    /// An aggregation without windows.
    Group(Box<Node>, Vec<usize>, Vec<Call>),
    /// An aggregation by several sets of keys, of windows or without.
    Sets(Box<Node>, Option<Windows>, Vec<usize>, Sets, Vec<Call>),
    /// SELECT DISTINCT.
    Distinct(Box<Node>, Vec<usize>),
    /// A join without time. Semi and anti ones are EXISTS and NOT EXISTS.
    Join(Both, Kind, On),
    /// EXISTS, or NOT EXISTS when true, of rows near in time.
    Near(Both, bool, [i64; 2], On),
    /// IN, or NOT IN when true: a column of the left among those of a column of the right.
    In(Both, bool, usize, usize),
    /// A column of the left against an aggregate of all of the right.
    Against(Both, usize, Compare, Function, usize),
}

/// The columns that numbers stand for, each once.
pub(crate) fn columns(numbers: &[usize], width: usize) -> Vec<usize> {
    let mut columns: Vec<usize> = Vec::new();
    for column in numbers.iter().map(|n| n % width) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// Of some columns the types.
fn picked(types: &[Type], columns: impl Iterator<Item = usize>) -> Vec<Type> {
    columns.map(|column| types[column % types.len()]).collect()
}

/// The types of keys, so many numbers and aggregates.
fn grouped(input: &Node, keys: &[usize], numbers: usize, calls: &[Call]) -> Vec<Type> {
    let types = input.types();
    let mut made = picked(&types, columns(keys, types.len()).into_iter());
    made.extend(vec![Type::BigInt; numbers]);
    made.extend(calls.iter().map(|call| call.made(&types)));
    made
}

/// The types of what a join hands on.
fn shared(both: &[Node; 2]) -> Vec<Type> {
    let shares = shares(both);
    let of = |side: usize| both[side].types().into_iter().take(shares[side]);
    of(0).chain(of(1)).collect()
}

/// How many columns of each side a join hands on.
pub(crate) fn shares(both: &[Node; 2]) -> [usize; 2] {
    [0, 1].map(|side| both[side].width().min(2))
}

impl Node {
    /// The steps it is over.
    pub fn inputs(&self) -> Vec<&Node> {
        match self {
            Node::Source(..) | Node::Versions(_) => Vec::new(),
            Node::Filter(input, _)
            | Node::Having(input, _)
            | Node::Map(input, _)
            | Node::Window(input, ..)
            | Node::Panes(input, ..)
            | Node::Late(input)
            | Node::Rows(input, _)
            | Node::Carried(input, ..)
            | Node::First(input, _)
            | Node::Last(input, _)
            | Node::Top(input, _)
            | Node::WindowTop(input, _)
            | Node::Over(input, ..)
            | Node::Group(input, ..)
            | Node::Sets(input, ..)
            | Node::Distinct(input, _) => vec![input],
            Node::Union(both)
            | Node::Merged(both)
            | Node::Interval(both, ..)
            | Node::WindowJoin(both, ..)
            | Node::Temporal(both, ..)
            | Node::Join(both, ..)
            | Node::Near(both, ..)
            | Node::In(both, ..)
            | Node::Against(both, ..) => both.iter().collect(),
        }
    }

    /// The same with one of them replaced.
    pub fn with_input(&self, place: usize, by: Node) -> Node {
        let mut copy = self.clone();
        match &mut copy {
            Node::Source(..) | Node::Versions(_) => {}
            Node::Filter(input, _)
            | Node::Having(input, _)
            | Node::Map(input, _)
            | Node::Window(input, ..)
            | Node::Panes(input, ..)
            | Node::Late(input)
            | Node::Rows(input, _)
            | Node::Carried(input, ..)
            | Node::First(input, _)
            | Node::Last(input, _)
            | Node::Top(input, _)
            | Node::WindowTop(input, _)
            | Node::Over(input, ..)
            | Node::Group(input, ..)
            | Node::Sets(input, ..)
            | Node::Distinct(input, _) => **input = by,
            Node::Union(both)
            | Node::Merged(both)
            | Node::Interval(both, ..)
            | Node::WindowJoin(both, ..)
            | Node::Temporal(both, ..)
            | Node::Join(both, ..)
            | Node::Near(both, ..)
            | Node::In(both, ..)
            | Node::Against(both, ..) => both[place] = by,
        }
        copy
    }

    /// How many columns its rows have beside those of time.
    pub fn width(&self) -> usize {
        self.types().len()
    }

    /// The types of these columns.
    pub fn types(&self) -> Vec<Type> {
        match self {
            Node::Source(_, dress) => dress.to_vec(),
            Node::Versions(_) => PLAIN.to_vec(),
            Node::Filter(input, _)
            | Node::Having(input, _)
            | Node::Rows(input, _)
            | Node::First(input, _)
            | Node::Last(input, _) => input.types(),
            Node::Late(windows) => windows.inputs().first().map_or(Vec::new(), |i| i.types()),
            Node::Map(input, exprs) => picked(&input.types(), exprs.iter().map(|(c, _)| *c)),
            Node::Window(input, _, keys, calls)
            | Node::Carried(input, keys, calls)
            | Node::Group(input, keys, calls) => grouped(input, keys, 0, calls),
            Node::Panes(input, _, keys, calls, emission) => {
                let mut types = grouped(input, keys, 0, calls);
                if emission.read == Read::Each {
                    types.extend([Type::BigInt; 2]);
                }
                types
            }
            Node::Sets(input, _, keys, _, calls) => grouped(input, keys, 1, calls),
            Node::Top(input, rank) | Node::WindowTop(input, rank) => {
                let mut types = input.types();
                types.extend(rank.numbered.then_some(Type::BigInt));
                types
            }
            Node::Over(input, _, _, calls) => {
                let types = input.types();
                let made = calls.iter().map(|call| call.made(&types));
                types.iter().copied().chain(made).collect()
            }
            Node::Distinct(input, list) => {
                let types = input.types();
                picked(&types, columns(list, types.len()).into_iter())
            }
            Node::Union(both) | Node::Merged(both) => {
                let same = |(l, r): (Type, Type)| if l == r { l } else { Type::BigInt };
                both[0].types().into_iter().zip(both[1].types()).map(same).collect()
            }
            Node::Interval(both, ..) | Node::Temporal(both, ..) => shared(both),
            Node::In(both, ..) | Node::Near(both, ..) | Node::Against(both, ..) => both[0].types(),
            Node::WindowJoin(both, kind, _) | Node::Join(both, kind, _) => {
                if kind.one_sided() {
                    both[0].types()
                } else {
                    shared(both)
                }
            }
        }
    }

    /// Whether its rows have an event time that windows and joins go by.
    pub fn timed(&self) -> bool {
        match self {
            Node::Source(..)
            | Node::Versions(_)
            | Node::Window(..)
            | Node::Rows(..)
            | Node::Carried(..)
            | Node::First(..)
            | Node::WindowTop(..)
            | Node::Over(..)
            | Node::Temporal(..)
            | Node::Sets(_, Some(_), ..) => true,
            Node::Filter(input, _) | Node::Having(input, _) | Node::Map(input, _) => input.timed(),
            Node::Union(both) => both.iter().all(Node::timed),
            Node::Interval(_, kind, _, _, side) => *kind == Kind::Inner || !kind.keeps(1 - side),
            Node::WindowJoin(_, kind, _) => *kind != Kind::Full,
            _ => false,
        }
    }

    /// The windows whose bounds its rows carry.
    pub fn windows(&self) -> Option<Windows> {
        match self {
            Node::Window(_, windows, ..)
            | Node::Rows(_, windows)
            | Node::Sets(_, Some(windows), ..) => Some(*windows),
            Node::Panes(_, windows, .., emission) => {
                let lost = emission.mode == Mode::Discarding && emission.read == Read::Whole;
                Some(*windows).filter(|w| !lost || !matches!(w, Windows::Session(_)))
            }
            Node::Filter(input, _)
            | Node::Having(input, _)
            | Node::Map(input, _)
            | Node::Carried(input, ..)
            | Node::WindowTop(input, _) => input.windows(),
            Node::WindowJoin(both, kind, _) => both[0].windows().filter(|_| *kind != Kind::Full),
            _ => None,
        }
    }

    /// Whether rows may be taken back.
    pub fn changes(&self) -> bool {
        match self {
            Node::Group(..) | Node::Sets(_, None, ..) | Node::Last(..) | Node::Top(..) => true,
            Node::Panes(.., emission) => {
                emission.mode == Mode::Retracting || emission.read == Read::Whole
            }
            Node::Join(_, kind, _) if !matches!(kind, Kind::Inner | Kind::Semi) => true,
            Node::In(_, true, ..) | Node::Near(_, true, ..) | Node::Against(..) => true,
            // Those that have windows say what is final.
            Node::Late(_) => false,
            _ => self.inputs().iter().any(|input| input.changes()),
        }
    }

    /// Whether rows come in the order of the records they are made of: of equal ones it is known which is first.
    pub fn in_order(&self) -> bool {
        match self {
            Node::Source(..) | Node::Versions(_) => true,
            Node::Rows(_, Windows::Session(_)) => false,
            Node::Filter(input, _) | Node::Map(input, _) | Node::Rows(input, _) => input.in_order(),
            _ => false,
        }
    }

    /// The columns that ranks of this step's rows are ordered by: all, where it is not known which of two
    /// equal rows is first.
    pub fn sorts(&self, order: &[Sort]) -> Vec<Sort> {
        let width = self.width();
        let mut sorts: Vec<Sort> = Vec::new();
        let rest = (0..width).map(|column| Sort { column, descending: false, nulls_first: None });
        let rest = rest.filter(|_| !self.in_order());
        let named = order.iter().map(|sort| Sort { column: sort.column % width, ..*sort });
        for sort in named.chain(rest) {
            if sorts.iter().all(|other| other.column != sort.column) {
                sorts.push(sort);
            }
        }
        sorts
    }

    /// The keys of the versions it has.
    pub fn version_keys(&self) -> Option<Vec<usize>> {
        match self {
            Node::Versions(_) => Some(vec![0]),
            Node::Last(input, keys) => Some(columns(keys, input.width())),
            _ => None,
        }
    }

    /// Whether it reads a table.
    pub fn reads(&self, table: usize) -> bool {
        let own = matches!(self, Node::Source(own, _) | Node::Versions(own) if *own == table);
        own || self.inputs().iter().any(|input| input.reads(table))
    }

    /// It and all steps it is over.
    pub fn steps(&self) -> Vec<&Node> {
        let below = self.inputs().into_iter().flat_map(Node::steps);
        std::iter::once(self).chain(below).collect()
    }

    /// Steps, itself included.
    pub fn size(&self) -> usize {
        self.steps().len()
    }
}
