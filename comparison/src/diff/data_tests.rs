//! For sums and counts, the events that are found are the whole difference: without them both versions agree.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use metricc_log::Binding;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::causes::Stop;

const SOURCE: &str = "source s { at: timestamp time  k: string?  x: int?  y: int }\n";

/// A definition, one part of which was drawn at a time.
fn definition(random: &mut ChaCha8Rng) -> [String; 4] {
    let drawn = |random: &mut ChaCha8Rng, all: &[&str]| (*all.choose(random).unwrap_or(&"")).to_owned();
    let value =
        drawn(random, &["count()", "sum(x)", "sum(y)", "sum(x) where y > 0", "{ n: count(), s: sum(y) }"]);
    let filter = drawn(random, &["", "where y > 1", "where y > 2", "where x != none"]);
    let key = drawn(random, &["by k", "by upper(k ?? \"b\") as k"]);
    let window = drawn(random, &["every 1h", "every day in paris", "every day in utc"]);
    [value, filter, key, window]
}

fn text([value, filter, key, window]: &[String; 4]) -> String {
    format!(
        "{SOURCE}calendar utc {{ zone \"UTC\" }}\ncalendar paris {{ zone \"Europe/Paris\" }}\n\
         metric m = {value} {{ from s  {filter}  {key}  {window} }}\n"
    )
}

fn metric(text: &str) -> AnyMetric {
    crate::checked(text).remove(0)
}

fn versions(old: &AnyMetric, new: &AnyMetric, lines: &[String], folder: &Path) -> Option<Versions> {
    let path = folder.join(format!("{}.ndjson", lines.len()));
    std::fs::write(&path, lines.concat()).expect("it is written");
    let common = Common::of(&old.row_type(), &new.row_type()).ok()?;
    let log = Log::open(&old.base()[0].source, &Binding::new(path.to_string_lossy())).expect("it opens");
    let side = |metric, options| {
        Side::new(metric, &log, options, &Imports::default(), &EngineOptions::default()).expect("it plans")
    };
    Some(Versions::new(side(old, &common.old), side(new, &common.new)).expect("it plans"))
}

fn whole(versions: &Versions) -> Interval {
    let log = versions.old.log();
    Interval::new(log.start(), log.end()).expect("an interval")
}

#[test]
fn without_the_causes_both_versions_of_a_sum_agree() {
    let budget = || Budget { events: 1000, until: Instant::now() + Duration::from_secs(3600) };
    let mut n_searched = 0;
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (of_old, mut of_new) = (definition(&mut random), definition(&mut random));
        // Values of other names are not compared.
        if of_old[0].starts_with('{') != of_new[0].starts_with('{') {
            of_new[0].clone_from(&of_old[0]);
        }
        let (old, new) = (metric(&text(&of_old)), metric(&text(&of_new)));
        let lines: Vec<String> = (0..random.random_range(1..24)).map(|_| event(&mut random)).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Some(versions) = versions(&old, &new, &lines, folder.path()) else { continue };
        let Some(size) = versions.compared(&whole(&versions)).expect("rows").size() else { continue };
        n_searched += 1;
        let mut measure = |interval: &Interval| Ok::<_, RowsError>(versions.compared(interval)?.size());
        let found = search(&whole(&versions), size, budget(), &mut measure).expect("it searches");
        assert_eq!((found.stop, found.together.len()), (Stop::Complete, 0), "seed {seed}");
        for position in &found.events {
            let (class, cause) = versions.cause(*position).expect("rows").expect("it is in the log");
            assert!(!class.parts.is_empty() && cause.fields.is_some(), "seed {seed}: {class:?}");
        }
        let is_left = |offset: usize| !found.events.iter().any(|position| position.offset == offset as u64);
        let left: Vec<String> = lines
            .iter()
            .enumerate()
            .filter(|(offset, _)| is_left(*offset))
            .map(|(_, line)| line.clone())
            .collect();
        assert!(left.len() < lines.len(), "seed {seed}");
        let without = self::versions(&old, &new, &left, folder.path()).expect("they have rows in common");
        let rest = without.compared(&whole(&without)).expect("rows");
        assert!(
            rest.different.is_empty(),
            "seed {seed}: {:?}\n{of_old:?}\n{of_new:?}\n{lines:?}",
            rest.different
        );
    }
    assert!(n_searched > 20, "{n_searched}");
}

fn event(random: &mut ChaCha8Rng) -> String {
    let hour: u32 = random.random_range(0..48);
    let day = 25 + hour / 24;
    let mut line =
        format!("{{\"at\":\"2026-04-{day}T{:02}:30:00Z\",\"y\":{}", hour % 24, random.random_range(-3..4));
    for (name, values) in [("k", ["\"a\"", "\"A\"", "\"b\"", "null"]), ("x", ["1", "-1", "2", "null"])] {
        let value = values.choose(random).unwrap_or(&"null");
        let _ = write!(line, ",\"{name}\":{value}");
    }
    line + "}\n"
}
