//! CPU time and memory of this process, from Linux's `/proc`.

use crate::Failure;

/// Rounds of which the best counts: noise only ever adds.
const ROUNDS: usize = 5;

/// Something that is timed.
pub(crate) type Run<'a> = &'a dyn Fn() -> Result<(), Failure>;

/// Least CPU-seconds of each run, all threads, user and system. The runs take turns, so that noise on the machine hits
/// all of them alike.
pub(crate) fn best<const N: usize>(runs: [Run<'_>; N]) -> Result<[f64; N], Failure> {
    let mut best = [f64::INFINITY; N];
    for _ in 0..ROUNDS {
        for (best, run) in best.iter_mut().zip(runs) {
            let start = cpu_seconds()?;
            run()?;
            *best = best.min(cpu_seconds()? - start);
        }
    }
    Ok(best)
}

fn cpu_seconds() -> Result<f64, Failure> {
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

/// Most mebibytes that this process has had resident.
pub(crate) fn peak_mebibytes() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
