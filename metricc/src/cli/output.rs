//! Presented rows as table, JSON lines, CSV, Arrow or Parquet.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use metricc_log::Binding;
use metricc_runtime_serve::{Presented, arrow_stream, csv, json_lines, record_batch, text_table};
use parquet::arrow::ArrowWriter;

use super::arguments::OutputFormat;
use super::table::{self, Rows};
use super::terminal::{self, Failure};

/// Writes the rows of all metrics to stdout, or to one file per metric in `folder`.
pub(crate) fn write(
    results: &[Presented],
    format: OutputFormat,
    folder: Option<&Path>,
    limit: usize,
) -> Result<(), Failure> {
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

fn write_stdout(results: &[Presented], format: OutputFormat, limit: usize) -> Result<(), Failure> {
    for presented in results {
        match format {
            OutputFormat::Table => terminal::data(&table(presented, limit))?,
            OutputFormat::Csv => terminal::data(&csv(presented)?)?,
            OutputFormat::Json => terminal::data(&lines(presented))?,
            OutputFormat::Arrow => terminal::bytes(&arrow_stream(presented)?)?,
            OutputFormat::Parquet => check(format, None, results.len())?,
        }
    }
    Ok(())
}

fn write_files(results: &[Presented], format: OutputFormat, folder: &Path) -> Result<(), Failure> {
    let named = |error: std::io::Error| Failure::Message(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(named)?;
    for presented in results {
        let path = target(folder, &presented.row_type.name, format);
        // Written to a temporary file and renamed, so that no reader sees half of it.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(named)?;
        let mut writer = BufWriter::new(file.as_file_mut());
        match format {
            OutputFormat::Table => writer.write_all(table(presented, 0).as_bytes()),
            OutputFormat::Json => writer.write_all(lines(presented).as_bytes()),
            OutputFormat::Csv => {
                csv(presented).map_err(std::io::Error::other).and_then(|csv| writer.write_all(csv.as_bytes()))
            }
            OutputFormat::Arrow => arrow_stream(presented)
                .map_err(std::io::Error::other)
                .and_then(|bytes| writer.write_all(&bytes)),
            OutputFormat::Parquet => parquet(presented, &mut writer),
        }
        .and_then(|()| writer.flush())
        .map_err(named)?;
        drop(writer);
        file.persist(&path).map_err(|error| named(error.error))?;
        terminal::note(format!("wrote {}", path.display()));
    }
    Ok(())
}

fn lines(presented: &Presented) -> String {
    json_lines(presented).fold(String::new(), |mut text, line| {
        text.push_str(&line);
        text.push('\n');
        text
    })
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

fn parquet(presented: &Presented, writer: &mut (impl Write + Send)) -> std::io::Result<()> {
    let failed = |error: parquet::errors::ParquetError| std::io::Error::other(error);
    let batch = record_batch(presented).map_err(std::io::Error::other)?;
    let mut parquet = ArrowWriter::try_new(writer, batch.schema(), None).map_err(failed)?;
    parquet.write(&batch).map_err(failed)?;
    parquet.close().map_err(failed)?;
    Ok(())
}
