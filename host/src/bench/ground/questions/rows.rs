//! Rows that come out of a loop, and what is added up of them and of the engine's.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use highwater_engine::batch::RowKind;

use super::Totals;

/// Rows a consumer takes at a time.
const ROWS: usize = 4_096;

/// The columns of a result that make its totals, by their place.
///
/// Every change counts as a row, since somebody has made it; counts and sums are of what the changes leave, so
/// that a row taken back in vain is seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measures {
    /// The column of counts; where there is none, rows are counted.
    pub count: Option<usize>,
    /// The column of sums.
    pub sum: Option<usize>,
    /// The column of maxima.
    pub max: Option<usize>,
}

impl Measures {
    /// Adds result rows of the engine up.
    pub fn add(&self, columns: &[ArrayRef], kinds: Option<&[RowKind]>, totals: &mut Totals) {
        let sign = |kind: &RowKind| match kind {
            RowKind::Insert | RowKind::UpdateAfter => 1,
            RowKind::UpdateBefore | RowKind::Delete => -1,
        };
        let signs: Option<Vec<i64>> = kinds.map(|kinds| kinds.iter().map(sign).collect());
        let column = |c: usize| &**columns[c].as_primitive::<Int64Type>().values();
        self.add_up(columns[0].len(), column, signs.as_deref(), totals);
    }

    fn add_up<'a>(
        &self,
        rows: usize,
        column: impl Fn(usize) -> &'a [i64],
        signs: Option<&[i64]>,
        totals: &mut Totals,
    ) {
        let left = |values: &[i64]| -> i64 {
            match signs {
                None => values.iter().sum(),
                Some(signs) => values.iter().zip(signs).map(|(value, sign)| value * sign).sum(),
            }
        };
        totals.rows += rows as u64;
        let counts = match (self.count, signs) {
            (Some(count), _) => left(column(count)),
            (None, Some(signs)) => signs.iter().sum(),
            (None, None) => rows as i64,
        };
        // A batch may take back more than it says; in the end no fewer than nothing is left.
        totals.counts = totals.counts.wrapping_add_signed(counts);
        totals.sums += self.sum.map_or(0, |sum| left(column(sum)));
        totals.maxima += self.max.map_or(0, |max| left(column(max)));
    }
}

/// Rows as a consumer would get them, columns of some thousand rows.
pub struct Rows<const N: usize> {
    measures: Measures,
    columns: [Vec<i64>; N],
    /// 1 for what is said, -1 for what is taken back; empty where nothing ever is.
    signs: Vec<i64>,
    totals: Totals,
}

impl<const N: usize> Rows<N> {
    /// No row yet.
    pub fn new(measures: Measures) -> Rows<N> {
        let columns = std::array::from_fn(|_| Vec::with_capacity(ROWS));
        Rows { measures, columns, signs: Vec::new(), totals: Totals::default() }
    }

    /// Appends a row of a result that takes nothing back.
    #[inline]
    pub fn push(&mut self, row: [i64; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
        if self.columns[0].len() == ROWS {
            self.consume();
        }
    }

    /// Appends a row of a changelog: 1 for one that is said, -1 for one that is taken back.
    #[inline]
    pub fn change(&mut self, sign: i64, row: [i64; N]) {
        self.signs.push(sign);
        self.push(row);
    }

    /// What came out, so many records having been late.
    pub fn end(mut self, late: u64) -> Totals {
        self.consume();
        self.totals.late = late;
        self.totals
    }

    fn consume(&mut self) {
        let columns = std::hint::black_box(&self.columns);
        let signs = Some(&*self.signs).filter(|signs| !signs.is_empty());
        let rows = columns[0].len();
        self.measures.add_up(rows, |c| &columns[c], signs, &mut self.totals);
        self.columns.iter_mut().for_each(Vec::clear);
        self.signs.clear();
    }
}
