//! What a pipeline is: a small tree that can be written as SQL, evaluated and cut down.
//!
//! Every column but those of time is a BIGINT. Columns are named by numbers that are taken modulo the
//! number of columns there are, so a tree stays sound whatever its parts are replaced by.

/// Which windows, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Windows {
    /// Size, step, offset.
    Aligned(i64, i64, i64),
    /// The gap.
    Session(i64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compare {
    Less,
    AtMost,
    Equal,
    Unequal,
    More,
}

impl Compare {
    /// All of them.
    pub const ALL: [Compare; 5] =
        [Compare::Less, Compare::AtMost, Compare::Equal, Compare::Unequal, Compare::More];

    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Equal => "=",
            Compare::Unequal => "<>",
            Compare::More => ">",
        }
    }

    /// Whether it is true of two values; of a NULL nothing is.
    pub fn holds(self, a: Option<i64>, b: Option<i64>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return false };
        match self {
            Compare::Less => a < b,
            Compare::AtMost => a <= b,
            Compare::Equal => a == b,
            Compare::Unequal => a != b,
            Compare::More => a > b,
        }
    }
}

/// A condition of one row: a column against a number, or `IS NULL`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    pub column: usize,
    pub than: Option<(Compare, i64)>,
}

/// A condition of two rows: a column of the left against one of the right and a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    pub left: usize,
    pub compare: Compare,
    pub right: usize,
    pub plus: i64,
}

/// When two rows are partners.
#[derive(Clone, Debug, PartialEq)]
pub struct On {
    pub keys: Vec<(usize, usize)>,
    pub residual: Option<Residual>,
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    CountAll,
    Count,
    CountDistinct,
    Sum,
    Min,
    Max,
    Avg,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 7] = [
        Function::CountAll,
        Function::Count,
        Function::CountDistinct,
        Function::Sum,
        Function::Min,
        Function::Max,
        Function::Avg,
    ];
}

/// An aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: Function,
    pub column: usize,
    pub filter: Option<Test>,
}

/// Which rows a join gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::Inner, Kind::Left, Kind::Right, Kind::Full, Kind::Semi, Kind::Anti];

    /// Whether its rows are those of the left alone.
    pub fn one_sided(self) -> bool {
        matches!(self, Kind::Semi | Kind::Anti)
    }

    /// Whether a row of this side without a partner stays.
    pub fn keeps(self, side: usize) -> bool {
        match self {
            Kind::Full => true,
            Kind::Left => side == 0,
            Kind::Right => side == 1,
            _ => false,
        }
    }
}

/// Two inputs.
pub type Both = Box<[Node; 2]>;

/// A step of a pipeline over those before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A table's records.
    Source(usize),
    Filter(Box<Node>, Test),
    /// Columns plus numbers.
    Map(Box<Node>, Vec<(usize, i64)>),
    /// An aggregation of windows by keys.
    Window(Box<Node>, Windows, Vec<usize>, Vec<Call>),
    /// Rows with the windows they are in.
    Rows(Box<Node>, Windows),
    Union(Both),
    /// `least <= right - left <= most`; the row's time is that of the side named last.
    Interval(Both, [i64; 2], On, usize),
    WindowJoin(Both, Kind, On),
    /// An aggregation without windows.
    Group(Box<Node>, Vec<usize>, Vec<Call>),
    Distinct(Box<Node>, Vec<usize>),
    /// Semi and anti ones are EXISTS and NOT EXISTS.
    Join(Both, Kind, On),
    /// IN, or NOT IN when true: a column of the left among those of a column of the right.
    In(Both, bool, usize, usize),
}

/// The columns that numbers stand for, each once.
pub fn columns(numbers: &[usize], width: usize) -> Vec<usize> {
    let mut columns: Vec<usize> = Vec::new();
    for column in numbers.iter().map(|n| n % width) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// How many columns of each side a join hands on.
pub fn shares(both: &[Node; 2]) -> [usize; 2] {
    [0, 1].map(|side| both[side].width().min(2))
}

impl Node {
    /// The steps it is over.
    pub fn inputs(&self) -> Vec<&Node> {
        match self {
            Node::Source(_) => Vec::new(),
            Node::Filter(input, _)
            | Node::Map(input, _)
            | Node::Window(input, ..)
            | Node::Rows(input, _)
            | Node::Group(input, ..)
            | Node::Distinct(input, _) => vec![input],
            Node::Union(both)
            | Node::Interval(both, ..)
            | Node::WindowJoin(both, ..)
            | Node::Join(both, ..)
            | Node::In(both, ..) => both.iter().collect(),
        }
    }

    /// The same, to change.
    pub fn inputs_mut(&mut self) -> Vec<&mut Node> {
        match self {
            Node::Source(_) => Vec::new(),
            Node::Filter(input, _)
            | Node::Map(input, _)
            | Node::Window(input, ..)
            | Node::Rows(input, _)
            | Node::Group(input, ..)
            | Node::Distinct(input, _) => vec![input],
            Node::Union(both)
            | Node::Interval(both, ..)
            | Node::WindowJoin(both, ..)
            | Node::Join(both, ..)
            | Node::In(both, ..) => both.iter_mut().collect(),
        }
    }

    /// How many columns its rows have beside those of time.
    pub fn width(&self) -> usize {
        match self {
            Node::Source(_) => 3,
            Node::Filter(input, _) | Node::Rows(input, _) => input.width(),
            Node::Map(_, exprs) => exprs.len(),
            Node::Window(input, _, keys, calls) | Node::Group(input, keys, calls) => {
                columns(keys, input.width()).len() + calls.len()
            }
            Node::Distinct(input, list) => columns(list, input.width()).len(),
            Node::Union(both) => both[0].width().min(both[1].width()),
            Node::Interval(both, ..) => shares(both).iter().sum(),
            Node::In(both, ..) => both[0].width(),
            Node::WindowJoin(both, kind, _) | Node::Join(both, kind, _) => {
                if kind.one_sided() {
                    both[0].width()
                } else {
                    shares(both).iter().sum()
                }
            }
        }
    }

    /// Whether its rows have an event time that windows and joins go by.
    pub fn timed(&self) -> bool {
        match self {
            Node::Source(_) | Node::Window(..) | Node::Rows(..) | Node::Interval(..) => true,
            Node::Filter(input, _) | Node::Map(input, _) => input.timed(),
            Node::Union(both) => both.iter().all(Node::timed),
            Node::WindowJoin(_, kind, _) => *kind != Kind::Full,
            Node::Group(..) | Node::Distinct(..) | Node::Join(..) | Node::In(..) => false,
        }
    }

    /// The windows whose bounds its rows carry.
    pub fn windows(&self) -> Option<Windows> {
        match self {
            Node::Window(_, windows, ..) | Node::Rows(_, windows) => Some(*windows),
            Node::Filter(input, _) | Node::Map(input, _) => input.windows(),
            Node::WindowJoin(both, kind, _) => both[0].windows().filter(|_| *kind != Kind::Full),
            _ => None,
        }
    }

    /// Whether rows may be taken back.
    pub fn changes(&self) -> bool {
        match self {
            Node::Group(..) => true,
            // A union with rows that change.
            Node::Join(_, kind, _) if !matches!(kind, Kind::Inner | Kind::Semi) => true,
            Node::In(_, true, ..) => true,
            _ => self.inputs().iter().any(|input| input.changes()),
        }
    }

    /// Whether it can be planned.
    pub fn sound(&self) -> bool {
        if !self.inputs().iter().all(|input| input.sound()) {
            return false;
        }
        let on = |on: &On| on.residual.is_some() || !on.keys.is_empty();
        let own = match self {
            Node::Window(input, ..) | Node::Rows(input, _) => input.timed(),
            Node::Interval(both, _, on, _) => both.iter().all(Node::timed) && !on.keys.is_empty(),
            Node::WindowJoin(both, ..) => {
                both.iter().all(Node::timed)
                    && both[0].windows().is_some()
                    && both[0].windows() == both[1].windows()
            }
            Node::Join(_, _, o) => on(o),
            // What a group without keys says of no rows at all is another question.
            Node::Group(input, keys, _) => !keys.is_empty() || !input.changes(),
            _ => true,
        };
        own && self.width() > 0
    }

    /// Whether it reads a table.
    pub fn reads(&self, table: usize) -> bool {
        *self == Node::Source(table) || self.inputs().iter().any(|input| input.reads(table))
    }

    /// Steps, itself included.
    pub fn size(&self) -> usize {
        1 + self.inputs().iter().map(|input| input.size()).sum::<usize>()
    }

    /// Whether a join that holds its watermark back meets another input: such inputs may be idle at
    /// different times.
    pub fn holds_back(&self) -> bool {
        let inputs = self.inputs();
        let meets = inputs.len() > 1 && inputs.iter().any(|input| input.has_interval());
        meets || inputs.iter().any(|input| input.holds_back())
    }

    fn has_interval(&self) -> bool {
        matches!(self, Node::Interval(..)) || self.inputs().iter().any(|i| i.has_interval())
    }
}
