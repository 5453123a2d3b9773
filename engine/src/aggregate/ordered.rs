//! FIRST_VALUE, LAST_VALUE and LISTAGG: what depends on the order in which values came. Each stands with its
//! place, so that slots may be merged in any order.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use arrow_array::ArrayRef;

use super::bag::Item;
use super::{Accumulator, AggregateCall, Function, Place, Words, WordsMut};
use crate::column::from_values;
use crate::error::Result;
use crate::schema::DataType;
use crate::snapshot::bytes::{Reader, put};
use crate::value::Value;

/// The accumulators of a call over an argument type; `retracts`: values are taken back at times.
pub(super) fn ordered(
    call: &AggregateCall,
    data_type: DataType,
    retracts: bool,
) -> Box<dyn Accumulator> {
    let (wanted, all) = match call.function {
        Function::FirstValue => (Wanted::First, false),
        Function::LastValue => (Wanted::Last, call.distinct),
        _ => (Wanted::List(call.separator.clone().unwrap_or_else(|| ",".into())), true),
    };
    let distinct = call.distinct && !call.function.ignores_distinct();
    let kept = if all || retracts { Kept::All } else { Kept::One };
    Box::new(Ordered { wanted, kept, distinct, retracts, data_type, lines: Vec::new() })
}

/// What the result is made of.
#[derive(Clone)]
enum Wanted {
    First,
    Last,
    /// All, with this between them.
    List(Arc<str>),
}

/// How much of a slot's values is kept.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    /// The one that is wanted.
    One,
    All,
}

/// A value as order-preserving bytes, which those who know it share.
type Cell = Arc<[u8]>;

/// The values of a slot.
#[derive(Clone, Default)]
struct Line {
    /// In the order they came.
    values: VecDeque<(Place, Cell)>,
    /// The same by value, kept where one has to be found again.
    found: BTreeSet<(Cell, Place)>,
}

impl Line {
    /// Where a value first came, of what is here.
    fn first(&self, cell: &Cell) -> Option<Place> {
        let (known, place) = self.found.range((Arc::clone(cell), (0, 0))..).next()?;
        (known == cell).then_some(*place)
    }

    fn insert(&mut self, place: Place, cell: Cell) {
        let at = match self.values.back() {
            Some((last, _)) if *last >= place => self.values.partition_point(|v| v.0 < place),
            _ => self.values.len(),
        };
        self.values.insert(at, (place, cell));
    }

    fn remove(&mut self, place: Place) {
        let at = self.values.partition_point(|v| v.0 < place);
        if self.values.get(at).is_some_and(|v| v.0 == place) {
            self.values.remove(at);
        }
    }
}

#[derive(Clone)]
struct Ordered {
    wanted: Wanted,
    kept: Kept,
    distinct: bool,
    retracts: bool,
    data_type: DataType,
    lines: Vec<Line>,
}

impl Ordered {
    fn add(&mut self, slot: u32, place: Place, cell: Cell) {
        let line = &mut self.lines[slot as usize];
        if self.kept == Kept::One {
            let better = match (&self.wanted, line.values.front()) {
                (_, None) => true,
                (Wanted::First, Some((known, _))) => place < *known,
                (_, Some((known, _))) => place > *known,
            };
            if better {
                line.values.clear();
                line.values.push_back((place, cell));
            }
            return;
        }
        if self.distinct && !self.retracts {
            // A value stands where it first came.
            match line.first(&cell) {
                Some(known) if known < place => return,
                Some(known) => {
                    line.remove(known);
                    line.found.remove(&(Arc::clone(&cell), known));
                }
                None => {}
            }
        }
        if self.distinct || self.retracts {
            line.found.insert((Arc::clone(&cell), place));
        }
        line.insert(place, cell);
    }

    /// The values that count, in their order.
    fn counted<'a>(&'a self, line: &'a Line) -> impl DoubleEndedIterator<Item = &'a Cell> {
        let repeats = |(place, cell): &&(Place, Cell)| {
            self.distinct && self.retracts && line.first(cell) != Some(*place)
        };
        line.values.iter().filter(move |value| !repeats(value)).map(|(_, cell)| cell)
    }

    fn of(&self, slot: u32) -> Value {
        let line = &self.lines[slot as usize];
        let value = |cell: &Cell| cell.to_vec().value(self.data_type);
        match &self.wanted {
            Wanted::First => self.counted(line).next().map_or(Value::Null, value),
            Wanted::Last => self.counted(line).next_back().map_or(Value::Null, value),
            Wanted::List(_) if line.values.is_empty() => Value::Null,
            Wanted::List(separator) => {
                let texts: Vec<String> =
                    self.counted(line).map(|cell| value(cell).to_text()).collect();
                Value::String(texts.join(separator).into())
            }
        }
    }
}

impl Accumulator for Ordered {
    fn width(&self) -> usize {
        0
    }

    fn grow(&mut self, slots: usize) {
        self.lines.resize_with(slots.max(self.lines.len()), Line::default);
    }

    fn clear(&mut self, from: u32, to: u32) {
        self.lines[from as usize..to as usize].fill_with(Line::default);
    }

    fn update(&mut self, _: WordsMut<'_>, _: &[u32], _: Option<&ArrayRef>, _: usize) {
        unreachable!("values come with their places")
    }

    fn is_ordered(&self) -> bool {
        true
    }

    fn arrive(&mut self, slots: &[u32], argument: &ArrayRef, from: usize, places: &[Place]) {
        let cells = <Vec<u8>>::read(argument, self.data_type, from..from + slots.len());
        for ((&slot, cell), &place) in slots.iter().zip(cells).zip(places) {
            self.add(slot, place, cell.into());
        }
    }

    /// Of equal values the one that came first goes, as in Flink: in a frame of OVER it is the one that
    /// leaves, and a changelog does not say which it was.
    fn retract(
        &mut self,
        _: WordsMut<'_>,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        from: usize,
    ) {
        let argument = argument.expect("it has an argument");
        let cells = <Vec<u8>>::read(argument, self.data_type, from..from + slots.len());
        for (&slot, cell) in slots.iter().zip(cells) {
            let (line, cell) = (&mut self.lines[slot as usize], Cell::from(cell));
            // A row is taken back only after it came.
            if let Some(place) = line.first(&cell) {
                line.remove(place);
                line.found.remove(&(cell, place));
            }
        }
    }

    fn merge(&mut self, _: WordsMut<'_>, pairs: &[(u32, u32)]) {
        for &(into, from) in pairs {
            let own = std::mem::take(&mut self.lines[into as usize]);
            let mut all: Vec<(Place, Cell)> = own.values.into();
            all.extend(self.lines[from as usize].values.iter().cloned());
            // Two runs: what is in order already costs one pass.
            all.sort_by_key(|value| value.0);
            all.into_iter().for_each(|(place, cell)| self.add(into, place, cell));
        }
    }

    fn result(&self, _: Words<'_>, slots: &[u32], _: &[i64]) -> ArrayRef {
        let values: Vec<Value> = slots.iter().map(|&slot| self.of(slot)).collect();
        from_values(&values, self.data_type)
    }

    fn value(&self, _: Words<'_>, slot: u32, _: i64) -> Value {
        self.of(slot)
    }

    fn save(&self, slots: &[u32], out: &mut Vec<u8>) {
        for line in slots.iter().map(|&slot| &self.lines[slot as usize]) {
            put(out, line.values.len() as u64);
            for ((seq, nth), cell) in &line.values {
                put(out, *seq);
                put(out, (*nth).into());
                cell.to_vec().save(out);
            }
        }
    }

    fn load(&mut self, slots: &[u32], reader: &mut Reader<'_>) -> Result<bool> {
        for &slot in slots {
            let count = reader.count()?;
            for _ in 0..count {
                let (seq, nth) = (reader.number()?, u32::try_from(reader.number()?));
                let cell = <Vec<u8>>::load(reader, self.data_type)?;
                let (Ok(nth), Some(cell)) = (nth, cell) else { return Ok(false) };
                let last = self.lines[slot as usize].values.back().map(|value| value.0);
                if last.is_some_and(|last| last >= (seq, nth)) {
                    return Ok(false);
                }
                self.add(slot, (seq, nth), cell.into());
            }
            if self.lines[slot as usize].values.len() != count {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fork(&self) -> Box<dyn Accumulator> {
        Box::new(self.clone())
    }
}
