//! What depends on the order of rows: through slots that are merged in any order.

use super::*;

fn text(s: &str) -> Value {
    Value::String(s.into())
}

/// The results over rows that went into three slots by turns, which are merged in this order.
fn merged(calls: &[AggregateCall], values: &[Value], order: [(u32, u32); 2]) -> Vec<String> {
    let batch = batch(DataType::String, values);
    let mut set = AggregateSet::new(calls, &batch.schema);
    set.grow(3);
    let slots: Vec<u32> = (0..values.len() as u32).map(|i| i * 7 % 3).collect();
    set.update(&slots, 0, &batch);
    order.into_iter().for_each(|pair| set.merge(&[pair]));
    let results = set.results(&[order[1].0]);
    results.iter().map(|column| value_at(column, DataType::String, 0).to_text()).collect()
}

#[test]
fn the_order_of_merges_does_not_matter() {
    let all = |function, distinct| AggregateCall {
        distinct,
        separator: Some("-".into()),
        ..AggregateCall::of(function, Some(0))
    };
    let calls = [
        all(Function::FirstValue, false),
        all(Function::LastValue, false),
        all(Function::LastValue, true),
        all(Function::ListAgg, false),
        all(Function::ListAgg, true),
        AggregateCall { filter: Some(1), ..all(Function::ListAgg, false) },
    ];
    let values = ["b", "a", "b", "c", "a", "", "b"].map(text);
    let wanted = ["b", "b", "", "b-a-b-c-a--b", "b-a-c-", "b-a-c-a-b"];
    for order in [[(0, 1), (0, 2)], [(2, 1), (0, 2)], [(1, 0), (1, 2)], [(1, 2), (0, 1)]] {
        assert_eq!(merged(&calls, &values, order), wanted, "{order:?}");
    }
}

/// Rows of one place in the stream stand as they come, over the end of a batch, too.
#[test]
fn rows_of_one_place_keep_their_order() {
    let values = ["x", "c", "b", "a", "y"].map(text);
    let whole = batch(DataType::String, &values);
    let whole = Batch { seqs: vec![1, 5, 5, 5, 6].into(), ..whole };
    for cut in 0..=5 {
        let call = AggregateCall::of(Function::ListAgg, Some(0));
        let mut set = AggregateSet::new(&[call], &whole.schema);
        set.grow(2);
        for part in [whole.slice(0, cut), whole.slice(cut, 5)] {
            let slots: Vec<u32> = part.seqs.iter().map(|seq| seq as u32 % 2).collect();
            set.update(&slots, 0, &part);
        }
        set.merge(&[(0, 1)]);
        let found = value_at(&set.results(&[0])[0], DataType::String, 0).to_text();
        assert_eq!(found, "x,c,b,a,y", "cut at {cut}");
    }
}
