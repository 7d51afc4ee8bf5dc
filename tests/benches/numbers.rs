//! Medians, and what the kernel knows of a process.

use std::time::Duration;

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of all values does not exceed.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Resident memory in MB.
pub(crate) fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    field(&status, "VmRSS:") / 1024.0
}

/// The most MB of memory that a process has had.
pub(crate) fn peak(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    field(&status, "VmHWM:") / 1024.0
}

/// CPU time of all its threads in seconds.
pub(crate) fn cpu(pid: u32) -> f64 {
    of_threads(pid, "schedstat", |stat| {
        let ns = stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
        ns.unwrap_or_default() / 1e9
    })
}

/// How often its threads have gone to sleep: a timer shows here.
pub(crate) fn switches(pid: u32) -> f64 {
    of_threads(pid, "status", |status| field(status, "voluntary_ctxt_switches:"))
}

fn of_threads(pid: u32, file: &str, read: impl Fn(&str) -> f64) -> f64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let files = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join(file)).ok());
    files.map(|text| read(&text)).sum()
}

fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}
