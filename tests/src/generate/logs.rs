//! Random logs: events in log order, with duplicates, conflicts and late events.

use metricc_ir::{Field, Source, Value};
use rand::Rng;

use super::values;
use super::{Random, random};
use crate::oracle::Event;

pub use super::values::Years;

/// Options of a random log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// The seed.
    pub seed: u64,
    /// Number of records, duplicates included.
    pub n_events: usize,
    /// The range of years of instants.
    pub years: Years,
}

impl LogOptions {
    /// A log of `n_events` records, in the years in which every calendar window has a text.
    pub fn new(seed: u64, n_events: usize) -> Self {
        LogOptions { seed, n_events, years: Years::Inner }
    }
}

/// A random log of a source.
///
/// About a tenth of the records repeat an earlier record, and about a twentieth repeat an identity with
/// another payload. If the source has no identity, these count like all others. Event times are in no order.
/// Fields with a default are sometimes absent.
pub fn log(source: &Source, options: &LogOptions) -> Vec<Event> {
    let mut random = random(options.seed);
    let mut events: Vec<Event> = Vec::with_capacity(options.n_events);
    for number in 0..options.n_events {
        let next = match (events.is_empty(), random.random_range(0..20)) {
            (false, 0 | 1) => earlier(&mut random, &events).clone(),
            (false, 2) => {
                let original = earlier(&mut random, &events).clone();
                conflicting(&mut random, source, &original, options.years)
            }
            _ => event(&mut random, source, number, options.years),
        };
        events.push(next);
    }
    events
}

fn earlier<'a>(random: &mut Random, events: &'a [Event]) -> &'a Event {
    &events[random.random_range(0..events.len())]
}

/// A new event. Its identity is new too, though it may agree with others in all fields but one.
fn event(random: &mut Random, source: &Source, number: usize, years: Years) -> Event {
    let mut event = Event::new();
    for (index, field) in source.fields.iter().enumerate() {
        let value = match &field.ty.kind {
            _ if source.identity.contains(&index) => identity(field, number),
            _ if field.default.is_some() && random.random_bool(0.3) => continue,
            _ => values::of_type(random, &field.ty, years),
        };
        event.insert(field.name.clone(), value);
    }
    event
}

/// A part of an identity: two parts together are different for each number.
fn identity(field: &Field, number: usize) -> Value {
    use metricc_ir::Kind;
    match &field.ty.kind {
        Kind::String => Value::String(format!("e{}", number / 2)),
        _ => Value::Int(i64::try_from(number % 2).unwrap_or(0)),
    }
}

/// The identity of an event with another payload.
fn conflicting(random: &mut Random, source: &Source, original: &Event, years: Years) -> Event {
    let mut other = event(random, source, 0, years);
    for &index in &source.identity {
        let name = &source.fields[index].name;
        if let Some(value) = original.get(name) {
            other.insert(name.clone(), value.clone());
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate::sources::Shape;

    const SHAPE: Shape = Shape { has_identity: true, time_is_date: false, has_lists: true };

    #[test]
    fn a_seed_decides_the_log() {
        let source = SHAPE.source();
        let log_of = |seed| format!("{:?}", log(&source, &LogOptions::new(seed, 50)));
        assert_eq!(log_of(1), log_of(1));
        assert_ne!(log_of(1), log_of(2));
    }

    #[test]
    fn there_are_duplicates_conflicts_and_late_events() {
        let source = SHAPE.source();
        let events = log(&source, &LogOptions::new(7, 400));
        let identities: BTreeSet<String> =
            events.iter().map(|event| format!("{:?}{:?}", event["id"], event["part"])).collect();
        let payloads: BTreeSet<String> = events.iter().map(|event| format!("{event:?}")).collect();
        assert!(identities.len() < payloads.len());
        assert!(payloads.len() < events.len());
        let times: Vec<String> = events.iter().map(|event| format!("{:?}", event["at"])).collect();
        assert!(!times.is_sorted());
    }

    #[test]
    fn every_event_has_a_time_and_every_required_field() {
        for shape in Shape::all() {
            let source = shape.source();
            for event in log(&source, &LogOptions { seed: 3, n_events: 200, years: Years::All }) {
                for field in
                    source.fields.iter().filter(|field| !field.ty.optional && field.default.is_none())
                {
                    assert!(!matches!(event.get(&field.name), None | Some(Value::None)), "{}", field.name);
                }
            }
        }
    }
}
