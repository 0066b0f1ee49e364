//! What `metricc compare` says: as text for people, and as JSON.

use serde_json::{Value as Json, json};

use super::arguments::CompareArguments;
use super::terminal::counted;
use crate::warehouse::{AbsentKey, Compared, Example, Explained, LEAST_SHARE, TheirRows, Trial, Verdict};
use metricc_comparison::report::Sides;

/// What was found.
pub(crate) struct Answer<'a> {
    pub(crate) arguments: &'a CompareArguments,
    pub(crate) theirs: &'a TheirRows,
    pub(crate) found: &'a Compared,
    /// The causes that were tried, or why none was.
    pub(crate) trials: &'a Result<Vec<Trial>, String>,
}

impl Answer<'_> {
    fn sides(&self) -> Sides<'_> {
        Sides { left: &self.found.ours, right: &self.theirs.rows, names: ["OURS", "THEIRS"] }
    }

    /// The first and the last window that are compared, if others are not.
    fn span_texts(&self) -> Option<[String; 2]> {
        self.theirs.span.and_then(|span| span.texts(&self.found.ours))
    }

    fn causes(&self) -> impl Iterator<Item = (&str, &Explained)> {
        let trials = self.trials.iter().flatten();
        trials.filter_map(|trial| match &trial.verdict {
            Verdict::Explains(found) => Some((&*trial.cause, found)),
            _ => None,
        })
    }
}

/// For people.
pub(crate) fn text(answer: &Answer<'_>) -> String {
    let Answer { arguments, found: Compared { comparison, .. }, .. } = answer;
    let sides = answer.sides();
    let title = format!("{}: {}", arguments.metric, sides.counts(comparison));
    let mut text = sides.table(&title, comparison, arguments.search.rows);
    for what in answer.theirs.left_out.iter().cloned().chain(outside_text(answer)) {
        text.push_str(&format!("  not compared: {what}\n"));
    }
    if comparison.different.is_empty() {
        return text;
    }
    if comparison.n_changed > 0 && comparison.largest_share > 0.0 {
        let largest = comparison.largest_share;
        text.push_str(&format!(
            "  the largest difference of two numbers is {} of the larger one\n",
            percent(largest)
        ));
    }
    answer.found.absent_keys.iter().for_each(|absent| text.push_str(&absent_text(absent)));
    let n_causes = answer.causes().count();
    for (cause, found) in answer.causes() {
        text.push_str(&cause_text(cause, found, comparison.different.len()));
    }
    match answer.trials {
        Err(why) => text.push_str(&format!("  no causes are tried: {why}\n")),
        Ok(trials) => {
            if n_causes == 0 {
                text.push_str("  none of the causes that were tried gives their numbers\n");
            }
            if n_causes == 0 || arguments.verbose {
                let n = comparison.different.len();
                trials.iter().for_each(|trial| text.push_str(&other_text(trial, n)));
            } else {
                text.push_str(&little_text(trials));
            }
        }
    }
    text
}

/// The rows that are not compared since the file has no windows there.
fn outside_text(answer: &Answer<'_>) -> Option<String> {
    let [first, last] = answer.span_texts()?;
    let outside = answer.found.outside;
    let part = |n: usize, place: String| (n > 0).then(|| format!("{} {place}", counted(n, "row", "rows")));
    let before = part(outside.before, format!("before {first}, the first window of the file"));
    let after = part(outside.after, format!("after {last}, the last window of the file"));
    let parts: Vec<String> = before.into_iter().chain(after).collect();
    (!parts.is_empty()).then(|| format!("OURS has {}; `--all-windows` compares them", parts.join(", and ")))
}

/// That a key is none in one of both and a text in the other.
fn absent_text(absent: &AbsentKey) -> String {
    let AbsentKey { key, text, n_met, n_equal, .. } = absent;
    let [none, written] = if absent.is_none_in_ours { ["OURS", "THEIRS"] } else { ["THEIRS", "OURS"] };
    let rows = counted(*n_met, "more row", "more rows");
    format!(
        "  key `{key}` is none in {none} and the text \"{text}\" in {written}: with none in both, {rows} would be \
         compared, and {n_equal} of them equal\n"
    )
}

/// That there are causes which are not named, if there are.
fn little_text(trials: &[Trial]) -> String {
    let n = trials.iter().filter(|trial| matches!(trial.verdict, Verdict::Little { .. })).count();
    let causes = |verb: &str| {
        let causes = counted(n, "more cause", "more causes");
        format!(
            "  {causes} {verb} fewer than {LEAST_SHARE} % of the other rows, probably by chance; --verbose lists them\n"
        )
    };
    match n {
        0 => String::new(),
        1 => causes("explains"),
        _ => causes("explain"),
    }
}

/// A share, with three digits that count.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.001.. => format!("{percent:.*} %", (2.0 - percent.log10().floor()).clamp(0.0, 5.0) as usize),
        _ => format!("{percent:.2e} %"),
    }
}

/// So many of the rows that differ.
fn share_text(n_rows: usize, n_different: usize) -> String {
    let rows = if n_different == 1 { "row that differs" } else { "rows that differ" };
    let share = match n_rows * 100 / n_different.max(1) {
        0 => "less than 1 %".to_owned(),
        percent => format!("{percent} %"),
    };
    format!("{n_rows} of {n_different} {rows} ({share})")
}

fn broken_text(n_broken: usize) -> String {
    match n_broken {
        0 => String::new(),
        n => format!("; {} that are equal would differ", counted(n, "row", "rows")),
    }
}

fn cause_text(cause: &str, found: &Explained, n_different: usize) -> String {
    let (rows, broken) = (share_text(found.n_rows, n_different), broken_text(found.n_broken));
    let mut text = format!("  cause: {cause}: explains {rows}{broken}\n");
    for Example { file, position, fields } in &found.examples {
        let (partition, offset) = (position.partition, position.offset);
        text.push_str(&format!("    {file}, position [{partition}, {offset}]: {}\n", fields.row_text()));
    }
    text
}

/// A trial that is no cause.
fn other_text(trial: &Trial, n_different: usize) -> String {
    match &trial.verdict {
        Verdict::Explains(_) => String::new(),
        Verdict::Little { n_rows, n_broken } => {
            let (rows, broken) = (share_text(*n_rows, n_different), broken_text(*n_broken));
            format!("  tried: {}: explains {rows}{broken}\n", trial.cause)
        }
        Verdict::Nothing => format!("  tried: {}\n", trial.cause),
        Verdict::NotTried(why) => format!("  not tried: {}: {why}\n", trial.cause),
    }
}

/// For machines.
pub(crate) fn json(answer: &Answer<'_>) -> Json {
    let example = |example: &Example| {
        let Example { file, position, fields } = example;
        json!({
            "file": file,
            "partition": position.partition,
            "offset": position.offset,
            "fields": fields.json(),
        })
    };
    let Compared { comparison, outside, .. } = answer.found;
    let share = |n_rows: usize| n_rows as f64 / comparison.different.len().max(1) as f64;
    let causes = answer.causes().map(|(cause, found)| {
        let examples: Vec<Json> = found.examples.iter().map(example).collect();
        json!({
            "cause": cause,
            "explains": found.n_rows,
            "share": share(found.n_rows),
            "breaks": found.n_broken,
            "examples": examples,
        })
    });
    let trials = || answer.trials.iter().flatten();
    let tried = trials().filter(|trial| matches!(trial.verdict, Verdict::Nothing)).map(|trial| &trial.cause);
    let little = trials().filter_map(|trial| match &trial.verdict {
        Verdict::Little { n_rows, n_broken } => Some(json!({
            "cause": trial.cause, "explains": n_rows, "share": share(*n_rows), "breaks": n_broken,
        })),
        _ => None,
    });
    let not_tried = trials().filter_map(|trial| match &trial.verdict {
        Verdict::NotTried(why) => Some(json!({ "cause": trial.cause, "why": why })),
        _ => None,
    });
    json!({
        "metric": answer.arguments.metric,
        "with": answer.arguments.with.path,
        "rows": answer.sides().json(comparison, answer.arguments.search.rows),
        "largest_share": comparison.largest_share,
        "not_compared": answer.theirs.left_out,
        "windows": answer.span_texts().map(|[first, last]| json!({
            "first": first,
            "last": last,
            "ours_before": outside.before,
            "ours_after": outside.after,
        })),
        "absent_keys": answer.found.absent_keys.iter().map(|absent| json!({
            "key": absent.key,
            "none_in": if absent.is_none_in_ours { "ours" } else { "theirs" },
            "text": absent.text,
            "compared": absent.n_met,
            "equal": absent.n_equal,
        })).collect::<Vec<_>>(),
        "causes": causes.collect::<Vec<_>>(),
        "little": little.collect::<Vec<_>>(),
        "tried": tried.collect::<Vec<_>>(),
        "not_tried": not_tried.collect::<Vec<_>>(),
        "no_trials": answer.trials.as_ref().err(),
    })
}
