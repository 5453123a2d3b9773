//! What a run costs: processor time and memory, as the system counts them.

use std::time::Instant;

/// What a run took, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    pub wall: f64,
    pub cpu: f64,
}

/// When something began, for this thread.
pub(super) struct Began {
    wall: Instant,
    cpu: Option<f64>,
}

impl Began {
    pub fn now() -> Began {
        Began { wall: Instant::now(), cpu: cpu_seconds() }
    }

    /// What has been spent since; wall-clock time stands for processor time where the system does not say.
    pub fn took(&self) -> Clock {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = cpu_seconds().zip(self.cpu).map_or(wall, |(now, then)| now - then);
        Clock { wall, cpu }
    }
}

/// Seconds this thread has been on a processor, where the system says so. `/proc` tells the same, but only
/// as of the last tick of the system's clock, some milliseconds ago.
fn cpu_seconds() -> Option<f64> {
    #[cfg(target_os = "linux")]
    return Some(spent(rustix::time::ClockId::ThreadCPUTime));
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// Seconds all threads of this process, ended ones too, have been on a processor, where the system says so.
pub(super) fn process_seconds() -> Option<f64> {
    #[cfg(target_os = "linux")]
    return Some(spent(rustix::time::ClockId::ProcessCPUTime));
    #[cfg(not(target_os = "linux"))]
    return None;
}

#[cfg(target_os = "linux")]
fn spent(clock: rustix::time::ClockId) -> f64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory this process has had, in bytes; 0 where the system does not say.
pub(super) fn peak_memory() -> u64 {
    memory("VmHWM:")
}

/// The memory this process has now, in bytes; 0 where the system does not say.
pub(super) fn resident_memory() -> u64 {
    memory("VmRSS:")
}

fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
    kilobytes * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_a_short_run_takes_processor_time() {
        let began = Began::now();
        std::hint::black_box((0..100_000_u64).fold(1, |a, i| a ^ (i * a)));
        let took = began.took();
        // Far below a tick, and no more than the clock on the wall says but for the time between asking both.
        assert!(took.cpu > 0.0 && took.cpu < took.wall + 1e-3, "{took:?}");
        assert!(process_seconds() >= cpu_seconds());
    }
}
