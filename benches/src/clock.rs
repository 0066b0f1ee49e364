//! CPU time of this process.

use crate::Failure;

/// Seconds of user and system time of all threads, from Linux's `/proc`.
pub(crate) fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the name in parentheses and may hold spaces; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<f64>().ok());
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
        return Err("/proc/self/stat is not as expected".into());
    };
    // USER_HZ is 100 on every Linux that Rust supports.
    Ok((user + system) / 100.0)
}
