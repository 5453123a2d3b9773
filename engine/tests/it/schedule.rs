//! Tasks cut for threads, their messages delivered in an order that dice decide: whatever threads may do.

use std::collections::VecDeque;

use highwater_engine::batch::Batch;
use highwater_engine::error::Result;
use highwater_engine::session::{Fast, Parts};
use highwater_engine::task::{Effects, Element};

/// Runs a job on so many threads' tasks in a random schedule; answers how many records were late. `chance`
/// answers a number below its argument.
pub fn run(
    job: Fast,
    threads: u32,
    chance: &mut dyn FnMut(u64) -> u64,
    emit: &mut dyn FnMut(usize, Batch),
) -> Result<u64> {
    let Parts { graph, mut inlet, mut tasks, batch_rows, .. } = job.parts(threads)?;
    let mut channels: Vec<VecDeque<Element>> = vec![VecDeque::new(); graph.channels.len()];
    let (sources, sinks) = (graph.source_tasks(), graph.sink_tasks());
    let schemas: Vec<_> = graph.sources().into_iter().map(|(_, s)| s.clone()).collect();
    let mut fx = Effects::default();
    let mut ended = false;
    loop {
        let busy: Vec<usize> = (0..channels.len()).filter(|&c| !channels[c].is_empty()).collect();
        if busy.is_empty() && ended {
            break;
        }
        // How far the source runs ahead is up to chance too.
        if !ended && (busy.is_empty() || chance(3) == 0) {
            match inlet.next(batch_rows, None)? {
                None => ended = true,
                Some(arrivals) => {
                    let (source, upto) = (arrivals.source, arrivals.upto);
                    tasks[usize::from(sources[source])].ingest(arrivals, &mut fx)?;
                    for other in (0..sources.len()).filter(|&other| other != source) {
                        let batch = Batch::progress(schemas[other].clone(), Vec::new(), upto);
                        tasks[usize::from(sources[other])].progress(batch, &mut fx)?;
                    }
                }
            }
        } else {
            let channel = busy[chance(busy.len() as u64) as usize];
            let element = channels[channel].pop_front().expect("it is busy");
            let (_, to, at_gate) = graph.channels[channel];
            tasks[usize::from(to)].receive(at_gate, element, &mut fx)?;
        }
        for (channel, element) in fx.sends.drain(..) {
            channels[usize::from(channel)].push_back(element);
        }
        for (number, &task) in sinks.iter().enumerate() {
            let sink = tasks[usize::from(task)].sink().expect("a sink");
            sink.drain().into_iter().for_each(|batch| emit(number, batch));
        }
    }
    let waiting: usize = tasks.iter().map(|t| t.waiting()).sum();
    assert_eq!(waiting, 0, "nothing waits at the end");
    Ok(fx.late)
}
