//! `metricc ask`: questions that no metric declares.

mod files;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::StreamExt;
use indicatif::ProgressBar;
use metricc_client::{
    AskComputed, AskEstimate, AskEvent, Format, HttpServing, ReadRequest, ServingError, grouped,
};
use metricc_ir::user_defined::Imports;

use super::arguments::{AskArguments, ByArguments, QueryFormat};
use super::node_client::NodeClient;
use super::query::{Shown, Waiting, show, show_encoded, when_started};
use super::terminal::{self, Failure};
use super::{deploy, progress};

/// How long the node may take to deploy a question.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The shortest time between two tries.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &AskArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    if let Some(file) = &arguments.file {
        return files::run(arguments, file, imports);
    }
    super::blocking(async {
        match ask(arguments).await {
            Err(Problem::Serving(ServingError::Question(errors))) => {
                terminal::note(errors);
                Ok(ExitCode::from(1))
            }
            Err(Problem::Serving(error)) => Err(error.into()),
            Err(Problem::Failure(failure)) => Err(failure),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Why a question is not answered.
enum Problem {
    /// What the node says.
    Serving(ServingError),
    Failure(Failure),
}

impl From<ServingError> for Problem {
    fn from(error: ServingError) -> Self {
        Problem::Serving(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Problem::Failure(failure)
    }
}

async fn ask(arguments: &AskArguments) -> Result<(), Problem> {
    let (node, question) = (arguments.node.serving()?, arguments.question.as_str());
    let name = arguments.keep.as_deref().unwrap_or_default();
    let mut request = ReadRequest {
        at: arguments.at.clone(),
        limit: arguments.page,
        receipt: arguments.receipt,
        ..arguments.rows.request(name, &arguments.range)?
    };
    let waiting = Waiting { start: Instant::now(), cover: None };
    let estimate = when_started(waiting, &mut PAUSE.clone(), &|| node.estimate(question, &request)).await?;
    if arguments.estimate {
        return Ok(show_estimate(&estimate, arguments.json)?);
    }
    terminal::note(estimate_text(&estimate));
    if estimate.events > 0 {
        let computed = compute(&node, question, &request, &estimate).await?;
        (request.at, request.epoch) = (Some(computed.frontier), computed.epoch);
    }
    let format = match arguments.format() {
        QueryFormat::Csv => Some(Format::Csv),
        QueryFormat::Arrow => Some(Format::Arrow),
        QueryFormat::Table | QueryFormat::Json => None,
    };
    match format {
        Some(format) => show_encoded(&estimate.metric, &node.answer_as(question, &request, format).await?)?,
        None => {
            let (output, plot) = (arguments.format(), false);
            let AskArguments { limit, full_hashes, .. } = *arguments;
            show(&node.answer(question, &request).await?, Shown { output, plot, limit, full_hashes })?;
        }
    }
    match &arguments.keep {
        Some(name) => keep(arguments, name).await,
        None => Ok(()),
    }
}

/// Has the states computed, with a progress bar.
async fn compute(
    node: &HttpServing,
    question: &str,
    request: &ReadRequest,
    estimate: &AskEstimate,
) -> Result<AskComputed, ServingError> {
    let bar = progress::bar(estimate.events, "events", "reading the log");
    let mut events = node.compute(question, request);
    let computed = loop {
        match events.next().await {
            Some(Ok(AskEvent::Estimate(estimate))) => bar.set_length(estimate.events),
            Some(Ok(AskEvent::Progress(progress))) => {
                let label = if progress.waits { "waiting for other questions" } else { "reading the log" };
                bar.set_message(label);
                bar.set_position(progress.done);
            }
            Some(Ok(AskEvent::Computed(computed))) => break Ok(computed),
            Some(Err(error)) => break Err(error),
            None => break Err(ServingError::Failed("the node has ended the question".into())),
        }
    };
    ProgressBar::finish_and_clear(&bar);
    computed
}

fn show_estimate(estimate: &AskEstimate, is_json: bool) -> Result<(), Failure> {
    match is_json {
        true => terminal::data(&format!("{}\n", serde_json::to_string(estimate)?)),
        false => terminal::data(&format!("{}\n", estimate_text(estimate))),
    }
}

/// What a question takes, for people.
fn estimate_text(estimate: &AskEstimate) -> String {
    let frontier = format!("at frontier {:?}", estimate.frontier);
    if estimate.events == 0 {
        return format!("the question reads none of the log, {frontier}: its states are there");
    }
    let (events, bytes) = (grouped(estimate.events), indicatif::HumanBytes(estimate.bytes));
    let time = match estimate.seconds {
        Some(seconds) if seconds < 1.0 => ", in less than 1 s".to_owned(),
        Some(seconds) => format!(", in about {seconds:.0} s"),
        None => String::new(),
    };
    format!("the question reads {events} events of the log ({bytes}){time}, {frontier}")
}

/// Deploys the question as a metric.
async fn keep(arguments: &AskArguments, name: &str) -> Result<(), Problem> {
    let client = NodeClient::new(&arguments.node, &["ask"], Some(TIME_LIMIT))?;
    let by = ByArguments { by: arguments.by_whom.clone() }.name();
    let parameters = [("name", name), ("by", by.as_str())];
    let request = client.post_to(&["keep"], &parameters).body(arguments.question.clone());
    let kept = deploy::ask(&client, request).await.map_err(Failure::from)?;
    deploy::notes(&kept);
    let versions = deploy::client(&arguments.node)?;
    let (_, done) = deploy::follow(&versions, &kept, false, arguments.no_wait).await;
    done?;
    if let Some(text) = kept["text"].as_str() {
        let file = "add it to the file of the package, or the next deployment of that file removes it";
        terminal::note(format!("`{name}` is a metric of the node now: {file}\n\n{}", text.trim_end()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_what_is_read_and_how_long_that_takes() {
        let text = |events, seconds| {
            let (metric, hash, frontier) = ("question".to_owned(), String::new(), vec![7, 9]);
            let (id, bytes, sources) = (None, 2048, Vec::new());
            estimate_text(&AskEstimate { id, metric, hash, frontier, events, bytes, seconds, sources })
        };
        let reads = "the question reads 12,345 events of the log (2.00 KiB)";
        assert_eq!(text(12_345, None), format!("{reads}, at frontier [7, 9]"));
        assert_eq!(text(12_345, Some(0.2)), format!("{reads}, in less than 1 s, at frontier [7, 9]"));
        assert_eq!(text(12_345, Some(70.4)), format!("{reads}, in about 70 s, at frontier [7, 9]"));
        assert!(text(0, Some(0.0)).contains("reads none of the log"));
    }
}
