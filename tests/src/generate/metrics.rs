//! Random metrics as text, which also test the parser and the checker. They are well typed by construction.
//! Each records the functions that it uses, for a table of coverage.

mod aggregates;
mod clauses;
mod coverage;
mod fragment;
mod numbers;
mod others;
mod outputs;
mod rows;
mod tables;

pub use coverage::{Coverage, Uses};
pub use tables::FILES;

use super::random;
use super::sources::Shape;
use clauses::Clauses;

/// Random metrics over the source `events` in one package.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The variant of the source.
    pub shape: Shape,
    /// The package: source, calendars, tables, metrics; the rows of the tables are in [`FILES`].
    pub text: String,
    /// Names of the metrics in the order of the text, and the functions that each uses.
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

/// A package of `n_metrics` random metrics, named `m0`, `m1` and so on. Some consecutive metrics have the
/// same clauses, so that engines run them together.
pub fn package(seed: u64, shape: Shape, n_metrics: usize) -> Generated {
    let mut random = random(seed);
    let mut metrics = Vec::with_capacity(n_metrics);
    let mut texts = Vec::new();
    while metrics.len() < n_metrics {
        let mut clauses = Clauses::random(&mut random, shape);
        let of_clauses = clauses.scope.uses.clone();
        loop {
            let name = format!("m{}", metrics.len());
            let value = outputs::value(&mut clauses.scope);
            texts.push(format!("metric {name} = {value} {{\n  from events\n{}}}\n", clauses.text));
            metrics.push((name, std::mem::replace(&mut clauses.scope.uses, of_clauses.clone())));
            if metrics.len() == n_metrics || !clauses.scope.chance(0.4) {
                break;
            }
        }
    }
    let used = |name: &str| metrics.iter().any(|(_, uses)| uses.calendars.contains(name));
    let calendars = CALENDARS
        .iter()
        .filter(|(name, ..)| used(name))
        .map(|(name, zone, week)| format!("calendar {name} {{ zone \"{zone}\", week {week} }}\n"));
    let head = format!("{}\n{}{}", shape.text(), calendars.collect::<String>(), tables::ITEMS);
    let text = format!("{head}\n{}", texts.join("\n"));
    Generated { shape, text, metrics }
}

/// A package of one random metric, named `m0`.
pub fn metric_package(seed: u64, shape: Shape) -> Generated {
    package(seed, shape, 1)
}

#[cfg(test)]
mod tests;
