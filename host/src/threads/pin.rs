//! A core for each thread: short runs are over before the system has spread their threads.

/// The cores that the calling thread may run on; empty where the system does not say.
pub(super) fn cores() -> Vec<usize> {
    #[cfg(target_os = "linux")]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        return (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
    }
    Vec::new()
}

/// Keeps the calling thread on one core as long as it lives.
#[derive(Debug)]
pub(super) struct Pinned {
    #[cfg(target_os = "linux")]
    before: rustix::thread::CpuSet,
}

impl Pinned {
    /// Keeps the calling thread on the core of that place in `cores`, in turn; `None` where there are none.
    pub(super) fn to(cores: &[usize], place: usize) -> Option<Pinned> {
        let core = *cores.get(place % cores.len().max(1))?;
        Pinned::only(core)
    }

    #[cfg(target_os = "linux")]
    fn only(core: usize) -> Option<Pinned> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let before = sched_getaffinity(None).ok()?;
        let mut one = CpuSet::new();
        one.set(core);
        sched_setaffinity(None, &one).ok()?;
        Some(Pinned { before })
    }

    #[cfg(not(target_os = "linux"))]
    fn only(_: usize) -> Option<Pinned> {
        None
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // What could be set can be set back.
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}
