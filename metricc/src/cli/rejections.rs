//! Rejected records: how many are too many, and how they are reported. A command never succeeds with nothing
//! read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use metricc_ir::Source;
use metricc_log::{AbsentValue, Interval, Log, Names, Quarantined, ReadStats};
use serde_json::json;

use super::rejection_hints;
use super::terminal::{self, Failure, counted};

/// Reasons that are shown.
const SHOWN_REASONS: usize = 10;

/// Digits of a share after its point: more than a number of records can need.
const MAX_DIGITS: usize = 15;

/// Positions that are read at once: all rejected records of so many are kept.
const BATCH_ROWS: usize = metricc_log::MAX_QUARANTINED_KEPT;

/// What to do with rejected records.
#[derive(Debug, Args)]
pub(crate) struct RejectionArguments {
    /// Rejected records to allow, per source: a number, or a share, rounded up to a whole record. With more
    /// of them, or if all are rejected, the command fails and writes no result; `ingest` has sent the others
    /// by then, and they stay
    #[arg(long, value_name = "N|N%", default_value = "1%", value_parser = MaxRejected::parse)]
    pub(crate) max_rejected: MaxRejected,
    /// List all rejected records in this new file, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
}

/// How many records may be rejected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MaxRejected {
    Records(u64),
    /// In percent.
    Share(f64),
}

impl MaxRejected {
    fn parse(text: &str) -> Result<Self, String> {
        let problem = || "not a number of records such as 10, or a share from 0% to 100%".to_owned();
        match text.strip_suffix('%') {
            Some(share) => {
                let share = share.trim().parse().ok().filter(|share| (0.0..=100.0).contains(share));
                share.map(MaxRejected::Share).ok_or_else(problem)
            }
            None => text.parse().map(MaxRejected::Records).map_err(|_| problem()),
        }
    }

    /// How many of the records may be rejected. All of them may not.
    fn most(self, n_records: u64) -> u64 {
        let most = match self {
            MaxRejected::Records(most) => most,
            MaxRejected::Share(share) => (n_records as f64 * share / 100.0).ceil() as u64,
        };
        most.min(n_records.saturating_sub(1))
    }

    /// Whether so many of the records may be rejected.
    pub(crate) fn allows(self, n_rejected: u64, n_records: u64) -> bool {
        n_rejected == 0 || n_rejected <= self.most(n_records)
    }
}

impl std::fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MaxRejected::Records(most) => write!(f, "{most}"),
            MaxRejected::Share(share) => write!(f, "{share}%"),
        }
    }
}

/// The file in which rejected records are listed.
pub(crate) struct RejectedFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl RejectedFile {
    /// Creates the file, if one is wanted.
    pub(crate) fn create(arguments: &RejectionArguments) -> Result<Option<Self>, Failure> {
        let Some(path) = &arguments.rejected else { return Ok(None) };
        // An existing file may be the log itself, or the package.
        let file = File::create_new(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Message(format!(
                "{}: there is such a file already\n  help: `--rejected` writes a new file: remove that one, or name another",
                path.display()
            )),
            _ => unwritable(path, &error),
        })?;
        Ok(Some(RejectedFile { path: path.clone(), file: BufWriter::new(file) }))
    }

    /// Lists a record.
    pub(crate) fn write(&mut self, source: &str, record: &Quarantined) -> Result<(), Failure> {
        let line = json!({
            "source": source,
            "file": &*record.path,
            "line": record.line,
            "partition": record.position.partition,
            "offset": record.position.offset,
            "field": record.field,
            "reason": record.problem,
            "value": record.excerpt,
        });
        writeln!(self.file, "{line}").map_err(|error| unwritable(&self.path, &error))
    }

    /// Lists all rejected records of a log, which is read for it.
    pub(crate) fn write_log(&mut self, source: &str, log: &Log) -> Result<(), Failure> {
        each_part(log, |stats| stats.quarantined.iter().try_for_each(|record| self.write(source, record)))
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Message(format!("{}: {error}", path.display()))
}

/// Reads the statistics of a log, part by part.
fn each_part(log: &Log, mut take: impl FnMut(ReadStats) -> Result<(), Failure>) -> Result<(), Failure> {
    let all = Interval::new(log.start(), log.end())?;
    for slice in all.slices() {
        for batch in log.read(&slice, &[], BATCH_ROWS)? {
            take(batch?.read_stats)?;
        }
    }
    Ok(())
}

/// The statistics of a log, which is read for them.
pub(crate) fn stats_of(log: &Log) -> Result<ReadStats, Failure> {
    let mut all = ReadStats::default();
    each_part(log, |stats| {
        all.merge(stats);
        Ok(())
    })?;
    Ok(all)
}

/// Reports what was read of a source. Returns whether it is enough for results.
pub(crate) fn report(
    source: &str,
    log: &Log,
    stats: &ReadStats,
    limit: MaxRejected,
    allow_empty: bool,
) -> bool {
    report_rejected(source, stats, limit);
    report_absent(log.source(), stats, &log.names());
    if stats.n_duplicates > 0 {
        let duplicates = counted(stats.n_duplicates as usize, "duplicate", "duplicates");
        let conflicts = match stats.n_conflicts {
            0 => String::new(),
            n => format!(", {n} of them with a different payload"),
        };
        terminal::note(format!("source `{source}`: skipped {duplicates}{conflicts}"));
    }
    // A topic may have positions without a record.
    if stats.n_records == 0 {
        let n_partitions = log.partition_names().len();
        let without = match (log.is_of_files(), n_partitions) {
            (true, 0) => "there is no file".to_owned(),
            (true, n) => format!("{} without a record", counted(n, "file", "files")),
            (false, n) => format!("{} without a record", counted(n, "partition", "partitions")),
        };
        let empty = format!("source `{source}`: the log is empty: {without}");
        if allow_empty {
            terminal::warning(&empty);
        } else {
            terminal::error(&format!("{empty}\n  help: `--allow-empty` makes that a result"));
        }
        return allow_empty;
    }
    check(source, stats, limit)
}

/// Whether the rejected records are few enough; reports it if they are not.
pub(crate) fn check(source: &str, stats: &ReadStats, limit: MaxRejected) -> bool {
    let (n, all) = (stats.n_quarantined, stats.n_records);
    if limit.allows(n, all) {
        return true;
    }
    terminal::error(&if n == all {
        format!("source `{source}`: every record was rejected: there is nothing to compute from")
    } else {
        format!(
            "source `{source}`: {n} of {} rejected, and `--max-rejected {limit}` allows {}\n  help: \
             mend the records or the source, or allow more, such as `--max-rejected {}%`; `--rejected FILE` lists \
             them all",
            counted(all as usize, "record", "records"),
            limit.most(all),
            (n * 100).div_ceil(all.max(1))
        )
    });
    false
}

/// Reports rejected records by field and reason, the most frequent first.
pub(crate) fn report_rejected(source: &str, stats: &ReadStats, limit: MaxRejected) {
    if !stats.none_values.is_empty() {
        terminal::note(format!("source `{source}`: {}", stats.none_values));
    }
    if stats.n_tombstones > 0 {
        let tombstones = counted(stats.n_tombstones as usize, "tombstone", "tombstones");
        terminal::note(format!("source `{source}`: skipped {tombstones} (records without a value)"));
    }
    let (n, all) = (stats.n_quarantined, stats.n_records);
    if n == 0 {
        return;
    }
    let records = if all == 1 { "record" } else { "records" };
    let share = n as f64 * 100.0 / all.max(1) as f64;
    terminal::warning(&format!(
        "source `{source}`: {n} of {all} {records} rejected ({}): not in the results",
        percent(share, limit)
    ));
    let groups = stats.rejections.groups();
    let mut n_shown = 0;
    for group in groups.iter().take(SHOWN_REASONS) {
        terminal::note(format!("  {} of {all} {records}: {group}", group.n_records));
        if let Some(hint) = rejection_hints::hint(&group.first) {
            terminal::note(format!("    help: {hint}"));
        }
        n_shown += group.n_records;
    }
    let n_more = n.saturating_sub(n_shown);
    if n_more > 0 {
        let n_reasons = groups.len().saturating_sub(SHOWN_REASONS);
        let more = if stats.rejections.is_cut() { "more than " } else { "" };
        let reasons = match n_reasons {
            0 => String::new(),
            n => format!(" for {more}{}", counted(n, "other reason", "other reasons")),
        };
        terminal::note(format!("  … and {}{reasons}", counted(n_more as usize, "record", "records")));
    }
}

/// A share in percent, with as many digits as tell it from the limit, and from all.
fn percent(share: f64, limit: MaxRejected) -> String {
    let MaxRejected::Share(limit) = limit else { return percent(share, MaxRejected::Share(100.0)) };
    if share < 0.01 && limit > 0.01 {
        return "less than 0.01 %".to_owned();
    }
    let n_digits = match share {
        share if share == share.round() => 0,
        share if share < 1.0 => 2,
        _ => 1,
    };
    let is_told = |digits: usize| {
        let shown = format!("{share:.digits$}").parse().unwrap_or(share);
        [limit, 100.0].iter().all(|bound| share.total_cmp(bound) == f64::total_cmp(&shown, bound))
    };
    let digits = (n_digits..=MAX_DIGITS).find(|digits| is_told(*digits)).unwrap_or(MAX_DIGITS);
    format!("{share:.digits$} %")
}

/// Warns of declared fields that no record has: of a wrong spelling nobody would hear otherwise.
fn report_absent(source: &Source, stats: &ReadStats, names: &Names) {
    for absent in metricc_log::absent_fields(source, stats, names) {
        let value = match absent.value {
            AbsentValue::Default => "it has its default in all of them",
            AbsentValue::None => "it is none in all of them",
            AbsentValue::Rejected => "every record is rejected for it",
        };
        let help = lookalike_help(&absent.field, absent.lookalike.as_deref(), absent.hint.as_deref());
        let (source, field) = (&source.name, &absent.field);
        terminal::warning(&format!("source `{source}`: no record has field `{field}`: {value}{help}"));
    }
}

/// What is there instead of a field, and how to read it from what is probably meant; empty if that is not
/// known.
pub(crate) fn lookalike_help(field: &str, lookalike: Option<&str>, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("\n  help: {hint}")).unwrap_or_default();
    let name = field.rsplit('.').next().unwrap_or(field);
    match lookalike {
        Some(path) => format!("{hint}\n  help: did you mean `{path}`? `{name}: … from {path}` reads it"),
        None => hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_or_shares_and_all_is_always_too_many() {
        let limit = |text: &str| MaxRejected::parse(text).unwrap();
        for (text, n_rejected, n_records, is_allowed) in [
            ("1%", 0, 0, true),
            ("1%", 1, 2, true),
            ("1%", 2, 100, false),
            ("1%", 2, 101, true),
            ("0", 1, 100, false),
            ("0%", 1, 100, false),
            ("5", 5, 100, true),
            ("5", 6, 100, false),
            ("100%", 99, 100, true),
            ("100%", 100, 100, false),
            ("1000", 1, 1, false),
        ] {
            assert_eq!(limit(text).allows(n_rejected, n_records), is_allowed, "{text} {n_rejected}");
        }
        for (share, text, shown) in [
            (2039.0 / 2000.0, "1%", "1.02 %"),
            (1.0, "1%", "1 %"),
            (1.004, "1%", "1.004 %"),
            (0.999, "1%", "0.999 %"),
            (12.34, "10", "12.3 %"),
            (99.97, "1%", "99.97 %"),
            (0.3, "1%", "0.30 %"),
            (0.004, "1%", "less than 0.01 %"),
            (0.004, "0.003%", "0.004 %"),
            (0.5, "0%", "0.50 %"),
        ] {
            assert_eq!(percent(share, limit(text)), shown, "{share} {text}");
        }
        for text in ["", "-1", "101%", "x%", "1.5", "nan%"] {
            assert!(MaxRejected::parse(text).is_err(), "{text}");
        }
    }
}
