//! State given back to tasks, which may be more or fewer than those that wrote it: key groups move to the subtasks
//! that have them now.

use super::Graph;
use crate::error::{Diagnostic, Result};
use crate::key::{KEY_GROUPS, KeyGroups};
use crate::operator::wrong_state;
use crate::seeded::seeded;
use crate::snapshot::{IN_FLIGHT, Opened, PLAN, SEED};
use crate::task::{Former, Route, Task};

impl Graph {
    /// Gives fresh tasks what a snapshot holds.
    ///
    /// # Errors
    /// When the snapshot is of another plan, of records of another seed, or of another parallelism with records in flight.
    pub fn restore(&self, tasks: &mut [Task], snapshot: &Opened<'_>) -> Result<()> {
        if snapshot.section(PLAN)? != self.fingerprint {
            return Err(wrong_state("the plan"));
        }
        // Formerly snapshots did not say.
        if let Ok(seed) = snapshot.section(SEED) {
            self.has_seed(seed)?;
        }
        let cut = self.cut_of(snapshot)?;
        let before = cut.as_ref().unwrap_or(self);
        for (t, task) in tasks.iter_mut().enumerate() {
            if seeded("the-last-task-is-forgotten") && task.name.ends_with("/1") {
                continue;
            }
            task.restore(&self.former(t, before, snapshot)?)?;
        }
        Ok(())
    }

    fn has_seed(&self, bytes: &[u8]) -> Result<()> {
        let own = self.header.seed;
        let seed = bytes.try_into().map(u64::from_le_bytes).map_err(|_| wrong_state("the seed"))?;
        if seed == own {
            return Ok(());
        }
        let message =
            format!("the snapshot is of records that seed {seed} has made, not seed {own}");
        Err(Diagnostic::new("snapshot.seed", message)
            .hint(format!("go on with the seed that it was made with: `--seed {seed}`")))
    }

    /// The same plan, cut as it was when the snapshot was made; `None` when that was as here.
    fn cut_of(&self, snapshot: &Opened<'_>) -> Result<Option<Graph>> {
        let widest = |graph: &Graph| graph.stages.iter().map(|s| s.parallelism).max().unwrap_or(1);
        let subtasks = |stage: &super::Stage| {
            let own = |name: &str| {
                name.rsplit_once('/')
                    .is_some_and(|(of, n)| of == stage.name && n.parse::<u32>().is_ok())
            };
            snapshot.names().filter(|name| own(name)).count() as u32
        };
        let before = self.stages.iter().map(subtasks).max().unwrap_or(1);
        if before == widest(self) {
            return Ok(None);
        }
        let now = widest(self);
        if !(1..=KEY_GROUPS).contains(&before) || self.threaded {
            return Err(wrong_state("the plan"));
        }
        if snapshot.section(IN_FLIGHT).is_ok() {
            let message = format!(
                "barriers have overtaken records that were on their way between {before} subtasks; these cannot be \
                 dealt out to {now}"
            );
            return Err(Diagnostic::new("snapshot.in-flight", message).hint(
                "restore it with the parallelism that it was made with, or one that an aligned checkpoint or a \
                 savepoint has made",
            ));
        }
        Graph::new(self.plan.clone(), before, self.header.seed).map(Some)
    }

    /// What a task takes of those that stood in its place in another cut of the plan.
    fn former<'a>(&self, task: usize, before: &Graph, snapshot: &Opened<'a>) -> Result<Former<'a>> {
        let (s, subtask) = self.tasks[task];
        let (stage, was) = (&self.stages[s], &before.stages[s]);
        let section = |subtask: u32| snapshot.section(&format!("{}/{subtask}", was.name));
        let edges = self.edges_in(task);
        if stage.parallelism == was.parallelism {
            let old = before.tasks.iter().position(|&t| t == (s, subtask)).expect("as many tasks");
            let channels = same_edges(&edges, &before.edges_in(old));
            return Ok(Former { sections: vec![section(subtask)?], own: KeyGroups::ALL, channels });
        }
        let old = before.tasks.iter().position(|&t| t == (s, 0)).expect("a stage has a task");
        let channels = same_edges(&edges, &before.edges_in(old));
        // Of what is broadcast every subtask has all.
        if stage.routes.iter().any(|route| matches!(route, Route::Broadcast)) {
            return Ok(Former { sections: vec![section(0)?], own: KeyGroups::ALL, channels });
        }
        let own = KeyGroups::of(subtask, stage.parallelism);
        let had = |&old: &u32| match seeded("key-groups-do-not-move") {
            true => old == subtask.min(was.parallelism - 1),
            false => KeyGroups::of(old, was.parallelism).meets(own),
        };
        let sections = (0..was.parallelism).filter(had).map(section).collect::<Result<_>>()?;
        Ok(Former { sections, own, channels })
    }
}

/// For each channel, those of another cut that belong to the same edge, with one channel a subtask where both have as
/// many.
fn same_edges(now: &[usize], before: &[usize]) -> Vec<Vec<usize>> {
    let of = |channels: &[usize], edge: usize| channels.iter().filter(|&&e| e == edge).count();
    let mut at = 0;
    let mut last = usize::MAX;
    let channel = |&edge: &usize| {
        at = if edge == last { at + 1 } else { 0 };
        last = edge;
        let all = (0..before.len()).filter(|&c| before[c] == edge);
        match of(now, edge) == of(before, edge) {
            true => all.skip(at).take(1).collect(),
            false => all.collect(),
        }
    };
    now.iter().map(channel).collect()
}
