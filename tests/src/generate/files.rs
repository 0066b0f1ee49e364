//! Logs as NDJSON or CSV, in one or several files, with hostile records between the events.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use metricc_ir::{Field, Kind, Source};
use rand::Rng;

use super::hostile::hostile_records;
use super::random;
use super::value_texts::{csv_cell, csv_quoted, json_record, value_of};
use crate::oracle::Event;

/// How a log is written to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Seed of the spelling of values and the positions of hostile records.
    pub seed: u64,
    /// Number of files, of about equal length; the last ones may be empty.
    pub n_files: usize,
    /// Whether to write a hostile record before about every fifth event (NDJSON only).
    pub is_hostile: bool,
}

/// The written files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files. The byte order of their names is log order.
    pub paths: Vec<PathBuf>,
    /// Records that must be quarantined.
    pub n_hostile: usize,
}

/// Writes one JSON object per line into `folder`.
///
/// At random, a field that is none is absent or null, an instant is in UTC or has an offset, and there are
/// columns that no source declares. This must not change any result.
pub fn write_ndjson(
    folder: &Path,
    source: &Source,
    events: &[Event],
    layout: &Layout,
) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.ndjson"));
        let mut file = BufWriter::new(File::create(&path)?);
        for (index, event) in run.iter().enumerate() {
            // A file may begin with a byte order mark, which one of the hostile records does too.
            if layout.is_hostile && index > 0 && random.random_bool(0.2) {
                let records = hostile_records(source, event);
                file.write_all(&records[random.random_range(0..records.len())].bytes)?;
                file.write_all(b"\n")?;
                written.n_hostile += 1;
            }
            writeln!(file, "{}", json_record(&mut random, source, event))?;
        }
        file.flush()?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Writes JSON arrays into `folder`, their elements over any number of lines; spelled as [`write_ndjson`]
/// does.
pub fn write_json(folder: &Path, source: &Source, events: &[Event], layout: &Layout) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.json"));
        let mut text = String::from("[");
        for (index, event) in run.iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            text.push_str(if random.random_bool(0.7) { "\n  " } else { " " });
            let record = json_record(&mut random, source, event);
            let is_pretty = random.random_bool(0.3);
            text.push_str(&if is_pretty { record.replacen('{', "{\n\t", 1) } else { record });
        }
        text.push_str("\n]\n");
        std::fs::write(&path, text)?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Writes RFC 4180 with a header row into `folder`. Names and strings are always quoted; an empty cell
/// without quotes is none.
///
/// # Errors
/// If a file cannot be written, or the source has lists.
pub fn write_csv(folder: &Path, source: &Source, events: &[Event], layout: &Layout) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let is_several = |field: &&Field| matches!(field.ty.kind, Kind::List(_) | Kind::Record(_));
    if let Some(field) = source.fields.iter().find(is_several) {
        return Err(io::Error::other(format!("`{}` is a `{}`, which CSV cannot hold", field.name, field.ty)));
    }
    let header: Vec<String> =
        source.fields.iter().map(|field| csv_quoted(&field.full_path().header())).collect();
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.csv"));
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "{}", header.join(","))?;
        for event in run {
            let cells: Vec<String> = source
                .fields
                .iter()
                .map(|field| csv_cell(&mut random, value_of(event, field), field))
                .collect();
            writeln!(file, "{}", cells.join(","))?;
        }
        file.flush()?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Divides the log into `n` runs.
pub(super) fn runs(events: &[Event], n_files: usize) -> impl Iterator<Item = &[Event]> {
    let n_files = n_files.max(1);
    let length = events.len().div_ceil(n_files);
    (0..n_files).map(move |number| {
        let from = (number * length).min(events.len());
        &events[from..(from + length).min(events.len())]
    })
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
