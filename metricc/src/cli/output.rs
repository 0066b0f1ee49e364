//! Presented rows as table, JSON lines, CSV, Arrow or Parquet.

use std::fs::Permissions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use metricc_log::Binding;
use metricc_runtime_serve::{
    OverflowSum, OverflowSummary, Presented, RowPieces, WriteError, text_table, typed_batches, typed_schema,
    write_arrow_stream, write_csv, write_json,
};
use parquet::arrow::ArrowWriter;

use super::arguments::OutputFormat;
use super::table::{self, Rows};
use super::terminal::{self, Failure};

/// The mode of a new file, of which the umask of the user takes away.
const SHARED_FILE: u32 = 0o666;

/// Writes the rows of all metrics to stdout, or to one file per metric in `folder`. Returns what could not be
/// computed of them.
pub(crate) fn write(
    results: Vec<RowPieces<'_>>,
    format: OutputFormat,
    folder: Option<&Path>,
    limit: usize,
) -> Result<Vec<OverflowSummary>, Failure> {
    match folder {
        Some(folder) => write_files(results, format, folder),
        None => write_stdout(results, format, limit),
    }
}

/// Checks that the results can be written in a format, before anything is computed.
pub(crate) fn check(format: OutputFormat, folder: Option<&Path>, n_metrics: usize) -> Result<(), Failure> {
    let problem = match (format, folder) {
        (OutputFormat::Parquet, None) => "Parquet is written to files: add `--out DIR`",
        (OutputFormat::Csv | OutputFormat::Arrow, None) if n_metrics > 1 => {
            "every metric has its own columns: choose one with `--metric`, or add `--out DIR` for a file each"
        }
        _ => return Ok(()),
    };
    Err(Failure::Message(problem.to_owned()))
}

/// Checks that files of metrics can be made in a folder, which may not be there yet.
pub(crate) fn check_folder<'a>(
    folder: &Path,
    metrics: impl Iterator<Item = &'a str>,
    format: OutputFormat,
) -> Result<(), Failure> {
    let refused = |problem: String| {
        let help = "name a folder in which this user can make files with `--out`";
        Err(Failure::Message(format!("`--out {}`: {problem}\n  help: {help}", folder.display())))
    };
    let is_there = |path: &&Path| path.symlink_metadata().is_ok();
    let there = folder.ancestors().find(is_there).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return refused(format!("`{}` is not a folder", there.display()));
    }
    if let Err(error) = tempfile::tempfile_in(there) {
        return refused(format!("no file can be made in `{}`: {error}", there.display()));
    }
    let mut targets = metrics.map(|metric| target(folder, metric, format));
    match targets.find(|target| target.is_dir()) {
        Some(target) => refused(format!("`{}` is a folder, and would be a file of rows", target.display())),
        None => Ok(()),
    }
}

/// Refuses a folder in which a result would replace a file of a log.
pub(crate) fn keep_logs(
    format: OutputFormat,
    folder: Option<&Path>,
    metrics: &[&str],
    sources: &[(String, Binding)],
) -> Result<(), Failure> {
    let targets =
        folder.into_iter().flat_map(|folder| metrics.iter().map(|name| target(folder, name, format)));
    // A file that is not there yet is of no log.
    for target in targets.filter_map(|target| target.canonicalize().ok()) {
        for (name, Binding { path, .. }) in sources {
            // Of a glob, the folder before its first wildcard.
            let fixed = path.split(['*', '?', '[']).next().unwrap_or_default();
            let is_glob = fixed.len() < path.len();
            let below = if is_glob { fixed.rsplit_once('/').map_or(".", |(folder, _)| folder) } else { path };
            if Path::new(below).canonicalize().is_ok_and(|source| target.starts_with(source)) {
                return Err(Failure::Message(format!(
                    "`{}` would be replaced, which the log of source `{name}` (`{path}`) has or may have\n  help: write the \
                     results to another folder",
                    target.display()
                )));
            }
        }
    }
    Ok(())
}

/// The file of a metric's rows.
fn target(folder: &Path, metric: &str, format: OutputFormat) -> PathBuf {
    let suffix = match format {
        OutputFormat::Table => "txt",
        OutputFormat::Json => "ndjson",
        OutputFormat::Csv => "csv",
        OutputFormat::Arrow => "arrows",
        OutputFormat::Parquet => "parquet",
    };
    folder.join(format!("{metric}.{suffix}"))
}

fn write_stdout(
    results: Vec<RowPieces<'_>>,
    format: OutputFormat,
    limit: usize,
) -> Result<Vec<OverflowSummary>, Failure> {
    check(format, None, results.len())?;
    let mut overflows = Vec::new();
    for rows in results {
        overflows
            .extend(write_rows(rows, format, limit, &mut terminal::Stdout).map_err(terminal::of_stdout)?);
    }
    Ok(overflows)
}

fn write_files(
    results: Vec<RowPieces<'_>>,
    format: OutputFormat,
    folder: &Path,
) -> Result<Vec<OverflowSummary>, Failure> {
    let named = |error: std::io::Error| Failure::Message(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(named)?;
    let mut overflows = Vec::new();
    for rows in results {
        let path = target(folder, &rows.row_type().name, format);
        // Written to a temporary file and renamed, so that no reader sees half of it.
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(SHARED_FILE))
            .tempfile_in(folder)
            .map_err(named)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        let written = write_rows(rows, format, 0, &mut writer);
        overflows.extend(written.map_err(|error| match error {
            WriteError::Output(error) => named(error),
            error => Failure::from(error),
        })?);
        writer.flush().map_err(named)?;
        drop(writer);
        file.persist(&path).map_err(|error| named(error.error))?;
        terminal::note(format!("wrote {}", path.display()));
    }
    Ok(overflows)
}

/// Writes the rows of a metric; what could not be computed of them.
fn write_rows(
    rows: RowPieces<'_>,
    format: OutputFormat,
    limit: usize,
    out: &mut (dyn Write + Send),
) -> Result<Vec<OverflowSummary>, WriteError> {
    let row_type = rows.row_type().clone();
    let overflow = match format {
        OutputFormat::Table => {
            let presented = rows.whole()?;
            out.write_all(table(&presented, limit).as_bytes())?;
            return Ok(presented.overflows());
        }
        OutputFormat::Json => write_json(&rows, out)?,
        OutputFormat::Csv => write_csv(&rows, out)?,
        OutputFormat::Arrow => write_arrow_stream(&rows, out)?,
        OutputFormat::Parquet => write_parquet(&rows, out)?,
    };
    Ok(overflow.summaries(&row_type))
}

fn table(presented: &Presented, limit: usize) -> String {
    let metric = &presented.row_type;
    let text = text_table(presented);
    let rows = Rows {
        name: &metric.name,
        unit: metric.unit.as_deref(),
        doc: metric.doc.lines().next().unwrap_or_default(),
        header: &text.header,
        is_number: &text.is_number,
        rows: &text.rows,
    };
    format!("{}\n", table::table(&rows, limit))
}

fn write_parquet(rows: &RowPieces<'_>, out: &mut (dyn Write + Send)) -> Result<OverflowSum, WriteError> {
    let failed = |error: parquet::errors::ParquetError| WriteError::Output(std::io::Error::other(error));
    let (schema, overflow) = typed_schema(rows)?;
    let mut parquet = ArrowWriter::try_new(out, schema.clone(), None).map_err(failed)?;
    for batch in typed_batches(rows, schema) {
        parquet.write(&batch?).map_err(failed)?;
    }
    parquet.close().map_err(failed)?;
    Ok(overflow)
}
