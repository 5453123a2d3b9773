//! What has arrived at one source: rows of its partitions and what happened between them.

use std::rc::Rc;

use arrow_array::ArrayRef;

use super::{Bad, Chunk};
use crate::batch::Seq;
use crate::column::concat;
use crate::numbers::Numbers;
use crate::time::VirtualTime;

/// Rows of one source's partitions in the order in which they arrive, and what happened between them.
pub struct Arrivals {
    /// The source, a position in the job's list.
    pub source: usize,
    /// When the last of it arrived.
    pub at: VirtualTime,
    /// The physical columns; empty when there are no rows.
    pub columns: Vec<ArrayRef>,
    /// The place of each row in the whole stream.
    pub seqs: Numbers,
    /// What happened between rows, by the number of rows before it. A mark that can move the watermark
    /// has a place in the stream of its own: every place brings one step at most.
    pub marks: Vec<(u32, Seq, Mark)>,
    /// Everything up to here has arrived.
    pub upto: Seq,
    /// What messages call the source's partitions.
    pub names: Names,
    /// Where the rows come from.
    pieces: Vec<Piece>,
    /// Places that follow one another: the first, and how many.
    runs: Vec<(Seq, usize)>,
    rows: usize,
    /// The rows of `pieces` that are left, once some were taken out.
    kept: Option<Vec<u32>>,
}

/// Rows of one chunk, one after the other.
struct Piece {
    chunk: Rc<Chunk>,
    from: usize,
    to: usize,
    partition: u16,
    moved: Moved,
    /// How many rows come before it.
    first: usize,
}

/// When the rows of a partition arrive, given what their reader says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many microseconds later.
    By(u64),
    /// All at this time.
    To(u64),
}

impl Moved {
    /// When a row arrives of which the reader says `arrival`, in microseconds.
    pub(super) fn at(self, arrival: u64) -> u64 {
        match self {
            Moved::By(later) => arrival.saturating_add(later),
            Moved::To(time) => time,
        }
    }
}

/// What messages call partitions: source, number, name.
#[derive(Clone, Debug)]
pub struct Names(pub(super) Rc<[(usize, u16, String)]>);

/// What happens at a source besides rows.
pub enum Mark {
    /// A record that cannot be read.
    Bad(u16, Bad),
    /// A partition said nothing for the idle timeout.
    Idle(u16),
    /// A partition's input has ended.
    Finished(u16),
    /// The stream's clock goes on to this.
    Tick(i64),
}

impl Arrivals {
    /// Nothing yet.
    pub(super) fn new(source: usize, names: Names) -> Arrivals {
        Arrivals {
            source,
            at: VirtualTime(0),
            columns: Vec::new(),
            seqs: Numbers::run(0, 0),
            marks: Vec::new(),
            upto: 0,
            names,
            pieces: Vec::new(),
            runs: Vec::new(),
            rows: 0,
            kept: None,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True when nothing has happened.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 && self.marks.is_empty()
    }

    /// Adds rows `from..to` of a chunk of a partition; the first has the place `seq`.
    pub(super) fn push(
        &mut self,
        chunk: Rc<Chunk>,
        (from, to): (usize, usize),
        (partition, seq): (u16, Seq),
        moved: Moved,
    ) {
        let first = self.rows;
        self.rows += to - from;
        match self.runs.last_mut() {
            Some((begin, rows)) if *begin + *rows as u64 == seq => *rows += to - from,
            _ => self.runs.push((seq, to - from)),
        }
        if let Some(last) = self.pieces.last_mut()
            && Rc::ptr_eq(&last.chunk, &chunk)
            && last.to == from
            && last.moved == moved
        {
            last.to = to;
            return;
        }
        self.pieces.push(Piece { chunk, from, to, partition, moved, first });
    }

    /// Makes columns and places out of the rows added.
    pub(super) fn finish(&mut self) {
        self.seqs = match self.runs.as_slice() {
            [(first, rows)] => Numbers::run(*first, *rows),
            runs => runs.iter().flat_map(|&(first, rows)| first..first + rows as u64).collect(),
        };
        let Some(first) = self.pieces.first() else { return };
        self.columns = (0..first.chunk.columns.len())
            .map(|c| {
                let part = |p: &Piece| p.chunk.columns[c].slice(p.from, p.to - p.from);
                concat(&self.pieces.iter().map(part).collect::<Vec<ArrayRef>>())
            })
            .collect();
    }

    /// Leaves only the rows at rising `kept`; the columns are the caller's to thin out.
    pub(super) fn keep(&mut self, kept: Vec<u32>) {
        debug_assert!(self.kept.is_none(), "rows are taken out once");
        self.seqs = self.seqs.gather(&kept);
        for (before, ..) in &mut self.marks {
            *before = kept.partition_point(|&k| k < *before) as u32;
        }
        self.rows = kept.len();
        self.kept = Some(kept);
    }

    /// Forgets what happened behind a place in the stream; the rows lie before it.
    pub fn cut(&mut self, until: Seq) {
        self.marks.retain(|&(_, seq, _)| seq <= until);
        self.upto = self.upto.min(until);
    }

    /// The partition of all rows, when they are of one.
    pub(super) fn partition_of_all(&self) -> Option<u16> {
        let first = self.pieces.first()?.partition;
        self.pieces.iter().all(|p| p.partition == first).then_some(first)
    }

    /// The piece of a row, and the row's position in the piece's chunk.
    fn place(&self, row: usize) -> (&Piece, usize) {
        let row = self.kept.as_ref().map_or(row, |kept| kept[row] as usize);
        let piece = &self.pieces[self.pieces.partition_point(|p| p.first <= row) - 1];
        (piece, piece.from + row - piece.first)
    }

    /// The partition of a row.
    pub fn partition(&self, row: usize) -> u16 {
        self.place(row).0.partition
    }

    /// When a row arrives, in milliseconds.
    pub fn arrival(&self, row: usize) -> i64 {
        let (piece, at) = self.place(row);
        (piece.moved.at(piece.chunk.arrivals.at(at)) / 1000) as i64
    }

    /// The place of a row in its partition.
    pub fn offset(&self, row: usize) -> u64 {
        let (piece, at) = self.place(row);
        piece.chunk.offsets.at(at)
    }

    /// The line of a row in its file, 0 where it has none.
    pub fn line(&self, row: usize) -> u64 {
        let (piece, at) = self.place(row);
        piece.chunk.lines.at(at)
    }

    /// What messages call a partition of this source: mostly the name of its file.
    pub fn name(&self, partition: u16) -> Option<&str> {
        let mut names = self.names.0.iter();
        let found = names.find(|(s, p, _)| (*s, *p) == (self.source, partition));
        found.map(|(.., name)| name.as_str())
    }
}
