//! Random metrics as text: well typed by construction, so that the parser and the checker are put to
//! the test as well. What a metric uses is noted, for a table of what a run of many has covered.

mod aggregates;
mod clauses;
mod coverage;
mod fragment;
mod numbers;
mod others;
mod outputs;
mod rows;

pub use coverage::{Coverage, Uses};

use super::sources::Shape;
use super::{Random, random};
use clauses::Clauses;

/// Random metrics over the source `events` in one package.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Which variant of the source.
    pub shape: Shape,
    /// The package: source, calendars, metrics.
    pub text: String,
    /// Names of the metrics in the order of the text, and what each uses.
    pub metrics: Vec<(String, Uses)>,
}

/// A calendar: its name in the language, its zone, the first day of its week.
pub(crate) type CalendarText = (&'static str, &'static str, &'static str);

/// The calendars that generated metrics may use.
pub(crate) const CALENDARS: [CalendarText; 8] = [
    ("india", "Asia/Kolkata", "monday"),
    ("new_york", "America/New_York", "sunday"),
    ("sao_paulo", "America/Sao_Paulo", "monday"),
    ("apia", "Pacific/Apia", "saturday"),
    ("lord_howe", "Australia/Lord_Howe", "wednesday"),
    ("st_johns", "America/St_Johns", "monday"),
    ("utc", "UTC", "monday"),
    ("london", "Europe/London", "monday"),
];

/// A package of `n_metrics` random metrics, named `m0`, `m1` and so on.
pub fn package(seed: u64, shape: Shape, n_metrics: usize) -> Generated {
    let mut random = random(seed);
    let mut metrics = Vec::new();
    let mut texts = Vec::new();
    for number in 0..n_metrics {
        let name = format!("m{number}");
        let (text, uses) = metric(&mut random, shape, &name);
        texts.push(text);
        metrics.push((name, uses));
    }
    let used = |name: &str| metrics.iter().any(|(_, uses)| uses.calendars.contains(name));
    let calendars = CALENDARS
        .iter()
        .filter(|(name, ..)| used(name))
        .map(|(name, zone, week)| format!("calendar {name} {{ zone \"{zone}\", week {week} }}\n"));
    let text = format!("{}\n{}\n{}", shape.text(), calendars.collect::<String>(), texts.join("\n"));
    Generated { shape, text, metrics }
}

/// A package of one random metric, named `m0`.
pub fn metric_package(seed: u64, shape: Shape) -> Generated {
    package(seed, shape, 1)
}

fn metric(random: &mut Random, shape: Shape, name: &str) -> (String, Uses) {
    let mut clauses = Clauses::random(random, shape);
    let value = outputs::value(&mut clauses.scope);
    let text = format!("metric {name} = {value} {{\n  from events\n{}}}\n", clauses.text);
    (text, clauses.scope.uses)
}

#[cfg(test)]
mod tests;
