//! Whether a cost grows too much.

use serde_json::{Value as Json, json};

use super::{Axis, Pair};

/// How a cost grows along an axis, and how much it may.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// What grows.
    pub axis: Axis,
    /// How many times the cost has become.
    pub growth: f64,
    /// The most it may.
    pub limit: f64,
}

impl Verdict {
    /// What the measurements of an axis say; nothing on axes that have only a curve.
    pub fn of(axis: Axis, pairs: &[Pair]) -> Option<Verdict> {
        let costs: Vec<(f64, f64)> = pairs.iter().map(Pair::costs).collect();
        let (growth, limit) = judge(axis, &costs)?;
        Some(Verdict { axis, growth, limit })
    }

    /// Whether the cost keeps within the limit.
    pub fn met(&self) -> bool {
        self.growth <= self.limit
    }

    /// A line of `--json`.
    pub fn line(&self) -> Json {
        json!({
            "axis": self.axis.name(), "growth": self.growth, "limit": self.limit,
            "met": self.met(),
        })
    }

    /// What the growth is of.
    pub fn measure(&self) -> &'static str {
        match self.axis {
            Axis::Records => "largest cost of an event over the smallest",
            Axis::Keys => "growth of an event's cost over the loop's growth",
            _ => "growth of an event's cost",
        }
    }

    /// The same for people.
    pub fn text(&self) -> String {
        let met = if self.met() { "met" } else { "MISSED" };
        format!("{}: {:.2}; at most {:.1}: {met}", self.measure(), self.growth, self.limit)
    }
}

/// Growth and limit, from the costs of the engine and of the loop from the first point to the last.
fn judge(axis: Axis, costs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (first, last) = (costs.first()?, costs.last()?);
    match axis {
        Axis::Records => {
            let engine = || costs.iter().map(|c| c.0);
            let smallest = engine().fold(f64::INFINITY, f64::min);
            Some((engine().fold(0.0, f64::max) / smallest, 1.5))
        }
        // The machine's caches are the same for both.
        Axis::Keys => Some(((last.0 / first.0) / (last.1 / first.1), 1.5)),
        Axis::Overlap => Some((last.0 / first.0, 2.0)),
        Axis::Batch | Axis::Disorder => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_of_the_engine_and_where_caches_matter_over_the_loops() {
        // The middle is the dearest.
        let costs = [(10.0, 4.0), (18.0, 5.0), (12.0, 8.0)];
        assert_eq!(judge(Axis::Records, &costs), Some((1.8, 1.5)));
        assert_eq!(judge(Axis::Keys, &costs), Some((0.6, 1.5)));
        assert_eq!(judge(Axis::Overlap, &costs), Some((1.2, 2.0)));
        assert_eq!(judge(Axis::Batch, &costs), None);
        assert_eq!(judge(Axis::Disorder, &costs), None);
        assert_eq!(judge(Axis::Records, &[]), None);
    }

    #[test]
    fn a_limit_is_met_up_to_itself_and_by_no_nonsense() {
        let verdict = |growth| Verdict { axis: Axis::Overlap, growth, limit: 2.0 };
        assert!(verdict(2.0).met() && verdict(0.3).met());
        assert!(!verdict(2.001).met() && !verdict(f64::NAN).met());
        assert_eq!(verdict(2.5).text(), "growth of an event's cost: 2.50; at most 2.0: MISSED");
        assert_eq!(verdict(1.5).line()["met"], true);
    }
}
