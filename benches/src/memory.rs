//! Memory of a process, on Linux.

/// Peak resident memory in MiB of a process, by its number or as `self`.
pub(crate) fn peak_mebibytes_of(process: &str) -> Result<f64, String> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().map_err(|_| "VmHWM is no number")?;
    Ok(kibibytes / 1024.0)
}
