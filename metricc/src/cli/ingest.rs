//! `metricc ingest`: sends files to a node, without losing or repeating an event, and returns when they are
//! readable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::ProgressBar;
use metricc_log::{
    BodyFormat, FileOptions, FileRequest, FileRequests, NoneReason, Position, Quarantined, ReadStats,
};
use serde_json::Value;

use super::arguments::IngestArguments;
use super::ingest_client::{IngestClient, Readable};
use super::rejections::{self, RejectedFile};
use super::terminal::{self, Failure, counted};

/// Most names of fields that are shown.
const SHOWN_NAMES: usize = 8;

/// The column that files have which a node has flushed, beside their fields.
const OF_FLUSHED: &str = "_offset";

/// The receipts of all requests, added up.
#[derive(Default)]
struct Sums {
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    /// The fields of the key, and where the first conflict stands.
    conflict: Option<(String, String)>,
    /// The records of all requests, and those that were rejected.
    stats: ReadStats,
    /// Fields that no record of the requests so far has; `None` before the first.
    absent: Option<BTreeSet<String>>,
    /// Names in the records that are not declared.
    undeclared: BTreeSet<String>,
    /// What absent fields are probably called in the data.
    lookalikes: BTreeMap<String, String>,
    hints: BTreeMap<String, String>,
    listed: Option<RejectedFile>,
    /// Records that the log had already, and the requests that they were in.
    known: u64,
    n_known_requests: usize,
    /// For each partition the offset after the last event of the files.
    frontier: Vec<u64>,
}

pub(crate) fn run(arguments: &IngestArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let total =
        arguments.files.iter().try_fold(0, |total, path| Ok::<u64, Failure>(total + n_bytes(path)?))?;
    let client = IngestClient::new(arguments)?;
    let mut sums = Sums { listed: RejectedFile::create(&arguments.rejections)?, ..Sums::default() };
    let options = file_options(arguments)?;
    let is_readable = runtime.block_on(async {
        let bar = super::progress::bar(total, "bytes", &arguments.source);
        for path in &arguments.files {
            send_file(&client, arguments, &options, path, &bar, &mut sums).await?;
        }
        bar.finish_and_clear();
        sums.listed.take().map(RejectedFile::finish).transpose()?;
        let readable = match arguments.no_wait {
            true => None,
            false => Some(client.wait_until_readable(&sums.frontier).await?),
        };
        report(&sums, arguments, readable.as_ref());
        Ok::<bool, Failure>(!matches!(readable, Some(Readable::NotYet { .. })))
    })?;
    let is_sound = rejections::check(&arguments.source, &sums.stats, arguments.rejections.max_rejected);
    Ok(match (is_sound, is_readable) {
        (false, _) => ExitCode::from(1),
        (true, false) => ExitCode::from(terminal::NOT_NOW),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// The length of a file; 0 for standard input.
fn n_bytes(path: &Path) -> Result<u64, Failure> {
    if path == Path::new("-") {
        return Ok(0);
    }
    Ok(std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len())
}

/// How the files are read, where their names do not tell it.
fn file_options(arguments: &IngestArguments) -> Result<FileOptions, Failure> {
    let mut options = FileOptions::default();
    for (option, value) in [("format", &arguments.format), ("delimiter", &arguments.delimiter)] {
        if let Some(value) = value {
            options.set(option, value).map_err(Failure::Message)?;
        }
    }
    Ok(options)
}

/// Sends what the node does not have of a file.
async fn send_file(
    client: &IngestClient,
    arguments: &IngestArguments,
    options: &FileOptions,
    path: &Path,
    bar: &ProgressBar,
    sums: &mut Sums,
) -> Result<(), Failure> {
    let mut requests = FileRequests::open(path, options, arguments.events as usize)?;
    for (key, positions) in client.known(&requests.key_prefix()).await? {
        requests.know(&key, positions.iter().map(|slice| slice.to - slice.from).sum());
        sums.reach(&positions);
    }
    let (n_bytes, start) = (n_bytes(path)?, bar.position());
    let mut is_open = false;
    while let Some(request) = requests.next_request()? {
        if request.is_known {
            sums.add_known(request.n_records);
        } else {
            is_open = matches!(request.format, BodyFormat::Csv { .. }) && request.is_unfinished;
            let receipt = client.send(path, &request).await?;
            sums.add(&receipt, &arguments.source, path, &request)?;
        }
        if let Some(done) = request.done {
            bar.set_position(start + (n_bytes as f64 * done.min(1.0)) as u64);
        }
    }
    bar.set_position(start + n_bytes);
    if is_open {
        terminal::warning(&format!(
            "{}: the last line has no line end, and is taken as it is: if it is not all of the line, the event in the \
             log is wrong, and the whole line cannot replace it\n  help: send a file when it is complete, or write whole lines",
            path.display()
        ));
    }
    Ok(())
}

impl Sums {
    fn reach(&mut self, positions: &[metricc_log::Slice]) {
        for slice in positions {
            let partition = slice.partition as usize;
            if self.frontier.len() <= partition {
                self.frontier.resize(partition + 1, 0);
            }
            self.frontier[partition] = self.frontier[partition].max(slice.to);
        }
    }

    fn add_known(&mut self, n_records: u64) {
        self.known += n_records;
        self.stats.n_records += n_records;
        self.n_known_requests += 1;
    }

    fn add(&mut self, receipt: &Value, source: &str, path: &Path, sent: &FileRequest) -> Result<(), Failure> {
        let positions: Vec<metricc_log::Slice> =
            serde_json::from_value(receipt["positions"].clone()).unwrap_or_default();
        self.reach(&positions);
        // Counts of a repeated request are those of the first time.
        if receipt["repeated"] == true {
            self.add_known(sent.n_records);
            return Ok(());
        }
        let number = |name: &str| receipt[name].as_u64().unwrap_or(0);
        self.accepted += number("accepted");
        self.duplicates += number("duplicates");
        self.conflicts += number("conflicts");
        let shown: Arc<str> = path.to_string_lossy().into();
        let mut stats = ReadStats { n_records: sent.n_records, ..ReadStats::default() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for found in receipt["none_values"].as_array().into_iter().flatten() {
            let reason =
                if found["reason"] == "not_finite" { NoneReason::NotFinite } else { NoneReason::Invalid };
            stats.none_values.add_n(&text(&found["field"]), reason, found["count"].as_u64().unwrap_or(0));
        }
        for exception in receipt["exceptions"].as_array().into_iter().flatten() {
            let record = exception["record"].as_u64().unwrap_or(0);
            if exception["verdict"] == "conflict" && self.conflict.is_none() {
                self.conflict = Some(first_conflict(receipt, exception, &shown, sent));
            }
            if exception["verdict"] != "quarantined" {
                continue;
            }
            let rejected = Quarantined {
                position: Position { partition: 0, offset: sent.first + record },
                path: Arc::clone(&shown),
                line: sent.line_of(record),
                has_known_offset: false,
                field: exception["field"].as_str().map(str::to_owned),
                problem: text(&exception["problem"]),
                excerpt: text(&exception["value"]),
            };
            if let Some(listed) = &mut self.listed {
                listed.write(source, &rejected)?;
            }
            stats.quarantine(rejected);
        }
        // A long list of exceptions is cut.
        stats.n_quarantined = stats.n_quarantined.max(number("quarantined"));
        self.stats.merge(stats);
        let names = |name: &str| -> BTreeSet<String> {
            receipt[name].as_array().into_iter().flatten().map(text).collect()
        };
        if sent.n_records > 0 {
            let absent = names("absent");
            self.absent = Some(match self.absent.take() {
                Some(so_far) => so_far.intersection(&absent).cloned().collect(),
                None => absent,
            });
        }
        self.undeclared.extend(names("undeclared").into_iter().filter(|name| name != OF_FLUSHED));
        let lookalikes = receipt["lookalikes"].as_object().into_iter().flatten();
        self.lookalikes.extend(lookalikes.map(|(field, path)| (field.clone(), text(path))));
        let hints = receipt["hints"].as_object().into_iter().flatten();
        self.hints.extend(hints.map(|(field, hint)| (field.clone(), text(hint))));
        Ok(())
    }
}

/// The fields of the key of a record in conflict, and where it stands.
fn first_conflict(receipt: &Value, exception: &Value, path: &str, sent: &FileRequest) -> (String, String) {
    let record = exception["record"].as_u64().unwrap_or(0);
    let place = match sent.line_of(record) {
        Some(line) => format!("line {line}"),
        None => format!("record {}", sent.first + record + 1),
    };
    let key: Vec<&str> = receipt["key"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    (key.join("`, `"), format!("{place} of {path}, offset {} in the log", exception["offset"]))
}

fn report(sums: &Sums, arguments: &IngestArguments, readable: Option<&Readable>) {
    let source = arguments.source.as_str();
    rejections::report_rejected(source, &sums.stats, arguments.rejections.max_rejected);
    for field in sums.absent.iter().flatten() {
        let (lookalike, hint) = (sums.lookalikes.get(field), sums.hints.get(field));
        let help = rejections::lookalike_help(field, lookalike.map(String::as_str), hint.map(String::as_str));
        terminal::warning(&format!("source `{source}`: no record has field `{field}`{help}"));
    }
    if !sums.undeclared.is_empty() {
        terminal::note(format!("source `{source}`: {}", undeclared_text(&sums.undeclared)));
    }
    if sums.conflicts > 0 {
        let records = counted(sums.conflicts as usize, "record has", "records have");
        let (key, first) = match &sums.conflict {
            Some((key, at)) => (format!(" (`{key}`)"), format!("\n  the first such record is {at}")),
            None => Default::default(),
        };
        terminal::warning(&format!(
            "source `{source}`: {records} the key{key} of an event in the log, and other values: the log keeps the first \
             event{first}"
        ));
    }
    if sums.stats.n_records == 0 {
        terminal::warning(&format!("source `{source}`: there is no record in what was sent"));
    }
    let mut parts = vec![counted(sums.accepted as usize, "event", "events")];
    let mut add = |n: u64, one: &str, many: &str| {
        if n > 0 {
            parts.push(counted(n as usize, one, many));
        }
    };
    add(sums.duplicates, "duplicate left out", "duplicates left out");
    add(
        sums.conflicts,
        "of them in conflict with the first event",
        "of them in conflict with the first event",
    );
    add(sums.stats.n_quarantined, "record rejected", "records rejected");
    let mut text = format!("{source}: {}", parts.join(", "));
    if sums.known > 0 {
        let records = counted(sums.known as usize, "record", "records");
        let requests = counted(sums.n_known_requests, "request", "requests");
        let verb = if sums.known == 1 { "was" } else { "were" };
        text.push_str(&format!(
            "; {records} {verb} in the log already ({requests}): files of the same name and content are one"
        ));
    }
    terminal::note(text);
    let frontier = sums.frontier.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    match readable {
        _ if sums.frontier.is_empty() => {}
        None => terminal::note(format!(
            "frontier {frontier}: `metricc query METRIC --wait {frontier}` waits for it"
        )),
        Some(Readable::Yes) => terminal::note(format!("readable at frontier {frontier}")),
        Some(Readable::NotYet { served }) => terminal::warning(&format!(
            "the events are durable, but not readable yet: answers are at frontier {}, and these events end at {frontier}",
            served.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
        )),
    }
}

/// What was sent and is not declared, which may be as it should, or a field that is spelled otherwise.
fn undeclared_text(names: &BTreeSet<String>) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let fields = counted(names.len(), "field was", "fields were");
    format!(
        "{fields} sent that the source does not declare, and the log does not keep: {}{more}",
        shown.join(", ")
    )
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Message(format!("{}: {error}", path.display()))
}
