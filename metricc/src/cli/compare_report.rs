//! What `metricc compare` says: as text for people, and as JSON.

use serde_json::{Value as Json, json};

use super::arguments::CompareArguments;
use super::terminal::counted;
use crate::warehouse::{Example, Explained, TheirRows, Trial, Verdict};
use metricc_comparison::compare::{Comparison, RowSet};
use metricc_comparison::report::Sides;

/// What was found.
pub(crate) struct Answer<'a> {
    pub(crate) arguments: &'a CompareArguments,
    pub(crate) ours: &'a RowSet,
    pub(crate) theirs: &'a TheirRows,
    pub(crate) comparison: &'a Comparison,
    /// The causes that were tried, or why none was.
    pub(crate) trials: &'a Result<Vec<Trial>, String>,
}

impl Answer<'_> {
    fn sides(&self) -> Sides<'_> {
        Sides { left: self.ours, right: &self.theirs.rows, names: ["OURS", "THEIRS"] }
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
    let Answer { arguments, comparison, .. } = answer;
    let sides = answer.sides();
    let title = format!("{}: {}", arguments.metric, sides.counts(comparison));
    let mut text = sides.table(&title, comparison, arguments.search.rows);
    for what in &answer.theirs.left_out {
        text.push_str(&format!("  not compared: {what}\n"));
    }
    if comparison.different.is_empty() {
        return text;
    }
    if comparison.n_changed > 0 && comparison.largest_share > 0.0 {
        let largest = comparison.largest_share;
        text.push_str(&format!("  the largest difference of two numbers is {largest:e} of the larger one\n"));
    }
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
                trials.iter().for_each(|trial| text.push_str(&other_text(trial)));
            }
        }
    }
    text
}

fn cause_text(cause: &str, found: &Explained, n_different: usize) -> String {
    let rows = if n_different == 1 { "row that differs" } else { "rows that differ" };
    let broken = match found.n_broken {
        0 => String::new(),
        n => format!("; {} that are equal would differ", counted(n, "row", "rows")),
    };
    let mut text = format!("  cause: {cause}: explains {} of {n_different} {rows}{broken}\n", found.n_rows);
    for Example { file, position, fields } in &found.examples {
        let (partition, offset) = (position.partition, position.offset);
        text.push_str(&format!("    {file}, position [{partition}, {offset}]: {}\n", fields.row_text()));
    }
    text
}

/// A trial that is no cause.
fn other_text(trial: &Trial) -> String {
    match &trial.verdict {
        Verdict::Explains(_) => String::new(),
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
    let causes = answer.causes().map(|(cause, found)| {
        let examples: Vec<Json> = found.examples.iter().map(example).collect();
        json!({ "cause": cause, "explains": found.n_rows, "breaks": found.n_broken, "examples": examples })
    });
    let trials = || answer.trials.iter().flatten();
    let tried = trials().filter(|trial| matches!(trial.verdict, Verdict::Nothing)).map(|trial| &trial.cause);
    let not_tried = trials().filter_map(|trial| match &trial.verdict {
        Verdict::NotTried(why) => Some(json!({ "cause": trial.cause, "why": why })),
        _ => None,
    });
    json!({
        "metric": answer.arguments.metric,
        "with": answer.arguments.with.path,
        "rows": answer.sides().json(answer.comparison, answer.arguments.search.rows),
        "largest_share": answer.comparison.largest_share,
        "not_compared": answer.theirs.left_out,
        "causes": causes.collect::<Vec<_>>(),
        "tried": tried.collect::<Vec<_>>(),
        "not_tried": not_tried.collect::<Vec<_>>(),
        "no_trials": answer.trials.as_ref().err(),
    })
}
