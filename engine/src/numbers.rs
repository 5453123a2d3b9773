//! Numbers, one a row, that mostly follow one another: places in the stream, offsets, lines, arrivals.

use std::sync::Arc;

/// One `u64` a row. Runs and repetitions, which is what streams are made of, take no memory a row.
#[derive(Clone, Debug)]
pub struct Numbers {
    form: Form,
    rows: usize,
}

#[derive(Clone, Debug)]
enum Form {
    /// A first number and what each row adds to it; held at the highest number there is.
    Steps(u64, u64),
    /// Row `i` has the number at `i` after the first so many.
    Each(Arc<[u64]>, usize),
}

fn step(first: u64, step: u64, i: usize) -> u64 {
    first.saturating_add(step.saturating_mul(i as u64))
}

impl Numbers {
    /// `first`, `first + 1`, … for so many rows.
    pub fn run(first: u64, rows: usize) -> Numbers {
        Numbers::steps(first, 1, rows)
    }

    /// One number for so many rows.
    pub fn same(number: u64, rows: usize) -> Numbers {
        Numbers::steps(number, 0, rows)
    }

    /// `first`, `first + step`, … for so many rows.
    pub fn steps(first: u64, step: u64, rows: usize) -> Numbers {
        Numbers { form: Form::Steps(first, step), rows }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn at(&self, i: usize) -> u64 {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        match &self.form {
            Form::Steps(first, by) => step(*first, *by, i),
            Form::Each(all, from) => all[from + i],
        }
    }

    /// The number of row `i`, if there is such a row.
    pub fn get(&self, i: usize) -> Option<u64> {
        (i < self.rows).then(|| self.at(i))
    }

    /// The last row's.
    pub fn last(&self) -> Option<u64> {
        self.rows.checked_sub(1).map(|i| self.at(i))
    }

    /// Row after row.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.rows).map(|i| self.at(i))
    }

    /// Rows `from..to`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Numbers {
        assert!(from <= to && to <= self.rows, "rows {from}..{to} of {}", self.rows);
        let form = match &self.form {
            Form::Steps(first, by) => Form::Steps(step(*first, *by, from), *by),
            Form::Each(all, skip) => Form::Each(Arc::clone(all), skip + from),
        };
        Numbers { form, rows: to - from }
    }

    /// The rows at `indices`.
    #[must_use]
    pub fn gather(&self, indices: &[u32]) -> Numbers {
        match &self.form {
            Form::Steps(number, 0) => Numbers::same(*number, indices.len()),
            Form::Steps(first, by) => {
                let from = indices.first().copied().unwrap_or(0);
                if indices.iter().zip(from..).all(|(&i, next)| i == next) {
                    return Numbers::steps(step(*first, *by, from as usize), *by, indices.len());
                }
                let each = indices.iter().map(|&i| step(*first, *by, i as usize)).collect();
                Numbers { form: Form::Each(each, 0), rows: indices.len() }
            }
            Form::Each(..) => indices.iter().map(|&i| self.at(i as usize)).collect(),
        }
    }

    /// How many rows, from the first on, have a number of at most `limit`; for numbers that never fall.
    pub fn count_upto(&self, limit: u64) -> usize {
        match &self.form {
            Form::Steps(first, _) if limit < *first => 0,
            Form::Steps(_, 0) => self.rows,
            Form::Steps(first, by) => {
                usize::try_from((limit - first) / by).map_or(self.rows, |n| self.rows.min(n + 1))
            }
            Form::Each(all, from) => all[*from..from + self.rows].partition_point(|&n| n <= limit),
        }
    }

    /// Whether every row's number is above the one before.
    pub fn rises(&self) -> bool {
        match &self.form {
            Form::Steps(_, by) => *by > 0 || self.rows < 2,
            Form::Each(all, from) => all[*from..from + self.rows].is_sorted_by(|a, b| a < b),
        }
    }

    /// Whether all rows have one number, and it takes no look at each to know.
    pub fn alike(&self) -> bool {
        self.rows < 2 || matches!(self.form, Form::Steps(_, 0))
    }

    /// Several in a row.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Numbers>) -> Numbers {
        let mut all: Option<Numbers> = None;
        let mut each: Vec<u64> = Vec::new();
        for part in parts {
            match &mut all {
                None => all = Some(part.clone()),
                Some(before) if each.is_empty() && before.joins(part) => before.rows += part.rows,
                Some(before) => {
                    if each.is_empty() {
                        each.extend(before.iter());
                    }
                    each.extend(part.iter());
                }
            }
        }
        if each.is_empty() { all.unwrap_or_else(|| Numbers::run(0, 0)) } else { each.into() }
    }

    /// Whether `next` goes on where this ends, in the same form.
    fn joins(&self, next: &Numbers) -> bool {
        match (&self.form, &next.form) {
            (Form::Steps(first, by), Form::Steps(then, then_by)) => {
                by == then_by && step(*first, *by, self.rows) == *then
            }
            _ => false,
        }
    }
}

impl From<Vec<u64>> for Numbers {
    fn from(all: Vec<u64>) -> Numbers {
        let rows = all.len();
        match all.first() {
            Some(&first) if all.iter().zip(0..).all(|(&n, i)| n.checked_sub(i) == Some(first)) => {
                Numbers::run(first, rows)
            }
            Some(_) => Numbers { form: Form::Each(all.into(), 0), rows },
            None => Numbers::run(0, 0),
        }
    }
}

impl FromIterator<u64> for Numbers {
    fn from_iter<I: IntoIterator<Item = u64>>(iter: I) -> Numbers {
        iter.into_iter().collect::<Vec<u64>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form against the plain list it stands for.
    #[test]
    fn each_form_is_the_list_it_stands_for() {
        let forms = [
            (Numbers::run(5, 6), vec![5, 6, 7, 8, 9, 10]),
            (Numbers::same(7, 6), vec![7; 6]),
            (Numbers::steps(2, 3, 4), vec![2, 5, 8, 11]),
            (Numbers::from(vec![1, 1, 4, 9, 9, 12]), vec![1, 1, 4, 9, 9, 12]),
            (Numbers::from(vec![3, 4, 5]), vec![3, 4, 5]),
            (Numbers::from(vec![u64::MAX]), vec![u64::MAX]),
            (Numbers::from(vec![]), vec![]),
        ];
        for (numbers, list) in &forms {
            assert_eq!(numbers.iter().collect::<Vec<_>>(), *list);
            assert_eq!((numbers.len(), numbers.last()), (list.len(), list.last().copied()));
            assert_eq!(numbers.rises(), list.windows(2).all(|w| w[0] < w[1]));
            for limit in 0..14 {
                let count = list.iter().filter(|&&n| n <= limit).count();
                assert_eq!(numbers.count_upto(limit), count, "{list:?} up to {limit}");
            }
            for from in 0..=list.len() {
                let part = numbers.slice(from, list.len());
                assert_eq!(part.iter().collect::<Vec<_>>(), list[from..]);
                assert_eq!(part.get(0), list.get(from).copied());
            }
            let last_first: Vec<u32> = (0..list.len() as u32).rev().collect();
            let turned: Vec<u64> = list.iter().rev().copied().collect();
            assert_eq!(numbers.gather(&last_first).iter().collect::<Vec<_>>(), turned);
            for (other, more) in &forms {
                let joined = Numbers::concat([numbers, other, numbers]);
                let all = [&list[..], more, list].concat();
                assert_eq!(joined.iter().collect::<Vec<_>>(), all);
            }
        }
    }
}
