//! What deploying a version changes: metric by metric with the reason, and what else there is to know.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_comparison::diff::PartChange;
use metricc_compiler::{CompileError, StateHash};
use metricc_ir::{Field, Source};
use metricc_jobs::PackageText;

use super::going::going_text;
use super::planned::{self, LogCost, MetricEffect, Planned};
use super::{Changes, Deployments, State};
use crate::source::NodeSource;
use crate::source_plans::SourcePlans;

impl Deployments {
    /// What a package changes that is planned.
    pub(super) fn changes_of(
        &self,
        state: &State,
        text: &PackageText,
        planned: &Planned,
    ) -> Result<Changes, CompileError> {
        let live = &state.live().record;
        let effects = self.effects(state, planned)?;
        if live.hash == text.hash() {
            return Ok(Changes { effects, notes: Vec::new(), live_as: Some(live.number) });
        }
        let mut notes: Vec<String> = Vec::new();
        for plan in &planned.sources {
            notes.extend(self.new_source_note(&plan.source));
            notes.extend(self.declared_otherwise(&plan.source));
        }
        notes.extend(self.given_up(state, planned).into_iter().map(|(version, problem)| {
            format!("version {version} cannot be kept, nor rolled back to, when this one is live: read as it declares {problem}")
        }));
        notes.extend(self.beyond_kept_after(state, None, planned).into_iter().map(|(version, why)| {
            format!(
                "version {version} {}, and cannot be rolled back to, when this one is live",
                going_text(&why)
            )
        }));
        Ok(Changes { effects, notes, live_as: None })
    }

    /// What it means that a source is declared otherwise than its events are decoded now, if it is.
    fn declared_otherwise(&self, wanted: &Source) -> Vec<String> {
        let name = &wanted.name;
        let log = self.source(name).map(|source| source.log.snapshot());
        let Some(decoder) = log.as_ref().and_then(|log| log.decoder(name)) else { return Vec::new() };
        let now = decoder.source();
        if **now == *wanted {
            return Vec::new();
        }
        let mut notes = vec![format!(
            "source `{name}` is declared otherwise: events that come in once this version is live are decoded as it says; those \
             before keep the values that they got, and have the default, or none, of a field that was not declared then"
        )];
        let n_before = log.as_ref().map_or(0, |log| log.end(name).n_positions());
        notes.extend(fields_note(now, wanted, n_before));
        notes
    }

    fn effects(&self, state: &State, planned: &Planned) -> Result<Vec<MetricEffect>, CompileError> {
        let has = |plan: &SourcePlans, hash: &StateHash| {
            plan.metrics.iter().any(|metric| metric.state_hash == *hash)
        };
        // What is not wanted any more is about to go.
        let is_kept_by = |source: &Arc<NodeSource>, hash: &StateHash| {
            has(&source.latest_view().plan, hash) && has(&source.wanted(), hash)
        };
        let is_kept = |hash: &StateHash| self.sources.now().iter().any(|source| is_kept_by(source, hash));
        let cost = |name: &str, hashes: &[StateHash]| match self.source(name) {
            Some(source) => cost_of(&source, hashes),
            None => LogCost { positions: self.n_known(name), ..LogCost::default() },
        };
        let live = &state.live().planned;
        let parts: BTreeMap<String, Vec<PartChange>> =
            self.changes(live, planned)?.into_iter().map(|change| (change.metric, change.parts)).collect();
        let reasons = |metric: &str| parts.get(metric).cloned().unwrap_or_default();
        Ok(planned::effects(live, planned, &is_kept, &cost, &reasons))
    }
}

/// What it takes to compute new metrics of a source: a backfill ends where the view does, and the tail goes on
/// from there as after any batch. Without a view, the tail reads all. What questions have left is not evaluated
/// again.
fn cost_of(source: &NodeSource, hashes: &[StateHash]) -> LogCost {
    let view = source.latest_view();
    let to = if view.segments.is_empty() { source.end() } else { view.frontier.clone() };
    let end = source.end();
    let asked = hashes
        .iter()
        .map(|hash| source.asked.before(hash, &end).map_or(0, |states| states.interval.to().n_positions()));
    let positions = to.n_positions().saturating_sub(asked.min().unwrap_or(0));
    let time = source.evaluation_estimate(positions);
    LogCost { positions, seconds: time.map(|time| time.as_secs_f64().ceil() as u64) }
}

/// What events of before have of fields that are new, and which fields are gone: a renamed field is both.
fn fields_note(now: &Source, wanted: &Source, n_before: u64) -> Option<String> {
    let lacks = |source: &Source, field: &Field| source.fields.iter().all(|known| known.name != field.name);
    let new: Vec<&Field> = wanted.fields.iter().filter(|field| lacks(now, field)).collect();
    let gone: Vec<&Field> = now.fields.iter().filter(|field| lacks(wanted, field)).collect();
    let of_new = new.iter().map(|field| {
        let have = if field.default.is_some() { "have its default" } else { "have none" };
        format!("field `{}` is new: events before position {n_before} {have}", field.name)
    });
    let of_gone = gone.iter().map(|field| format!("field `{}` is no longer declared", field.name));
    let mut parts: Vec<String> = of_new.chain(of_gone).collect();
    let is_renamed = |new: &Field, gone: &Field| new.ty.kind == gone.ty.kind;
    let pair = new.iter().find_map(|new| Some((new, gone.iter().find(|gone| is_renamed(new, gone))?)));
    if let Some((new, gone)) = pair
        && new.full_path() == gone.full_path()
    {
        parts.push(format!(
            "`{}` reads what `{}` has read: declare `{}: {}` as before, and the field keeps its values of before",
            new.name,
            gone.name,
            gone.name,
            gone.type_and_path()
        ));
    } else if let Some((new, gone)) = pair {
        // A path is part of a declaration, and events of before have the field already.
        let renamed = Field { path: new.full_path().into_owned(), ..(*gone).clone() };
        let declaration = format!("{}: {}", gone.name, renamed.type_and_path());
        parts.push(format!(
            "if `{}` is only another name in the data, declare `{declaration}`, and the field keeps its values of before",
            new.name
        ));
    }
    (!parts.is_empty()).then(|| format!("source `{}`: {}", wanted.name, parts.join("; ")))
}
