//! Random ranges and coarser windows, in zones with half hours and changes of clocks: batch and merged states
//! are read as the interpreter computes the rows from the events.

use metricc::{Bound, Engine, RangeBound, evaluate};
use metricc_compiler::Segment;
use metricc_ir::{Calendar, CalendarUnit, Value, Window, grain};
use metricc_runtime_serve::{ReadOptions, json_lines, read};
use metricc_tests::generate::{Random, random};
use metricc_tests::oracle::ranges::{Bound as AskedBound, Range};
use metricc_tests::oracle::{self, Event, date_text, utc_text};
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::layers::{bound, options, package};

const ZONES: [&str; 9] = [
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Europe/London",
    "America/Sao_Paulo",
    "Pacific/Apia",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const UNITS: [(CalendarUnit, &str); 5] = [
    (CalendarUnit::Day, "day"),
    (CalendarUnit::Week, "week"),
    (CalendarUnit::Month, "month"),
    (CalendarUnit::Quarter, "quarter"),
    (CalendarUnit::Year, "year"),
];
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Dates with a change of clocks, a midnight that does not exist, or a day that does not.
const TURNS: [i64; 5] = [15_337, 17_839, 20_520, 20_542, 20_758];

/// Two calendars of a package.
struct Calendars(Vec<(String, Calendar)>);

impl Calendars {
    fn new(random: &mut Random) -> Self {
        let mut calendar = |name: &str| {
            let zone = ZONES.choose(random).expect("a zone");
            (name.to_owned(), Calendar { zone: (*zone).to_owned(), week_start: random.random_range(1..=7) })
        };
        Calendars(vec![calendar("here"), calendar("there")])
    }

    fn text(&self) -> String {
        let calendar = |(name, calendar): &(String, Calendar)| {
            let day = DAYS[usize::from(calendar.week_start) - 1];
            format!("calendar {name} {{ zone {:?}, week {day} }}\n", calendar.zone)
        };
        self.0.iter().map(calendar).collect()
    }
}

fn window_text(random: &mut Random) -> &'static str {
    let windows = [
        "every 15m",
        "every 30m",
        "every 1h",
        "every day in here",
        "every day in here",
        "every month in here",
    ];
    windows.choose(random).expect("a window")
}

/// A grain as text, and what it means for a metric with windows of a kind.
fn any_grain(random: &mut Random, of: &Window, calendars: &Calendars) -> Option<(String, Window)> {
    let own = match of {
        Window::Calendar(_, calendar) => Some(calendar.clone()),
        _ => None,
    };
    match random.random_range(0..8) {
        0 => return None,
        1 => return Some(("all".to_owned(), Window::AllTime)),
        2 => return Some(("2h".to_owned(), Window::Tumbling(2 * HOUR))),
        _ => {}
    }
    let (unit, word) = *UNITS.choose(random).expect("a unit");
    let (place, calendar) = match (random.random_range(0..4), own) {
        (0 | 1, Some(own)) => (String::new(), own),
        (2, _) => {
            let zone = ZONES.choose(random).expect("a zone");
            (format!(" in {zone}"), Calendar { zone: (*zone).to_owned(), week_start: 1 })
        }
        _ => {
            let (name, calendar) = calendars.0.choose(random).expect("a calendar");
            (format!(" in {name}"), calendar.clone())
        }
    };
    if unit == CalendarUnit::Week && random.random_bool(0.3) {
        let week_start = random.random_range(1..=7);
        let day = DAYS[usize::from(week_start) - 1];
        return Some((
            format!("week {day}{place}"),
            Window::Calendar(unit, Calendar { week_start, ..calendar }),
        ));
    }
    Some((format!("{word}{place}"), Window::Calendar(unit, calendar)))
}

/// A bound as text, and what it is.
fn any_bound(random: &mut Random) -> Option<(String, AskedBound)> {
    let date = TURNS.choose(random).expect("a date") + random.random_range(-40..40);
    match random.random_range(0..6) {
        0 => None,
        1..4 => Some((date_text(date), AskedBound::Date(date))),
        4 => {
            let instant = date * DAY + random.random_range(0..96) * HOUR / 4;
            Some((utc_text(instant), AskedBound::Instant(instant)))
        }
        _ => {
            let instant = date * DAY + random.random_range(0..DAY);
            Some((utc_text(instant), AskedBound::Instant(instant)))
        }
    }
}

fn events(random: &mut Random) -> Vec<Event> {
    let mut event = |id: i64| {
        let turn = TURNS.choose(random).expect("a date");
        let at = (turn + random.random_range(-40..40)) * DAY + random.random_range(0..96) * HOUR / 4;
        let k = ["a", "b"].choose(random).expect("a key");
        let values = [
            ("id", Value::Int(id)),
            ("at", Value::Timestamp(at)),
            ("x", Value::Int(random.random_range(-9..9))),
            ("k", Value::String((*k).to_owned())),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    };
    (0..120).map(&mut event).collect()
}

fn line(event: &Event) -> String {
    let value = |value: &Value| match value {
        Value::Timestamp(at) => format!("{:?}", utc_text(*at)),
        Value::String(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let fields = event.iter().map(|(name, field)| format!("{name:?}:{}", value(field)));
    format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
}

/// The states of the only metric from batch alone, and from both engines.
fn states(bound: &Bound) -> [Segment; 2] {
    let cut = bound.log.frontier_at(60);
    [Some(Engine::Batch), None].map(|engine| {
        let evaluation = evaluate(bound, engine, &cut, &options(1, 50), &|_| ()).expect("it evaluates");
        evaluation.segments.into_iter().next().expect("a segment")
    })
}

#[test]
fn random_ranges_are_read_as_the_interpreter_computes_them() {
    let (mut n_rows, mut n_partial, mut n_refused, mut n_notes) = (0, 0, 0, 0);
    for seed in 0..60 {
        let random = &mut random(seed);
        let calendars = Calendars::new(random);
        let text = format!(
            "source s {{ id: int key  at: timestamp time  x: int  k: string }}\n{}metric m = {{ n: count(), x: sum(x), xs: set(x) }} {{ from s  by k  {} }}",
            calendars.text(),
            window_text(random)
        );
        let events = events(random);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.ndjson");
        std::fs::write(&path, events.iter().map(line).collect::<String>()).expect("the log is written");
        let bound = bound(&package(&text), &path);
        let (plan, states) = (&bound.plan.metrics[0], states(&bound));
        let window = &plan.metric.window;
        for _ in 0..30 {
            let (from, to) = (any_bound(random), any_bound(random));
            let by = any_grain(random, window, &calendars);
            let spelled = by.as_ref().map(|(text, _)| grain(text, window, &calendars.0).expect("a window"));
            assert_eq!(spelled.as_ref(), by.as_ref().map(|(_, grain)| grain), "{by:?}");
            let parsed = |bound: &Option<(String, AskedBound)>| {
                bound.as_ref().map(|(text, _)| text.parse::<RangeBound>().expect("a bound"))
            };
            let reading = ReadOptions::of_range(window, parsed(&from), parsed(&to), spelled);
            if reading.from.zip(reading.to).is_some_and(|(from, to)| from > to) {
                assert!(read(plan, &states[0], &reading).is_err());
                continue;
            }
            let place = || format!("seed {seed}: from {from:?} to {to:?} by {by:?}\n{text}");
            let bounds = [&from, &to].map(|bound| bound.as_ref().map(|(_, bound)| *bound));
            let asked =
                Range { from: bounds[0], to: bounds[1], grain: by.as_ref().map(|(_, by)| by.clone()) };
            let n_between = asked.between(window).into_iter().filter(|is_between| *is_between).count();
            assert_eq!(reading.notes("m", window).len(), n_between, "{}", place());
            n_notes += n_between;
            let expected = asked.evaluate(&plan.metric, &events);
            for states in &states {
                let found = read(plan, states, &reading);
                let (Some(expected), Ok(found)) = (&expected, &found) else {
                    assert!(expected.is_none() && found.is_err(), "{found:?} {}", place());
                    n_refused += 1;
                    continue;
                };
                let lines: Vec<String> = json_lines(found).collect();
                oracle::compare(expected, &lines)
                    .unwrap_or_else(|mismatch| panic!("{mismatch}\n{}", place()));
                n_rows += lines.len();
                n_partial += expected.iter().filter(|row| row.is_partial).count();
            }
        }
    }
    assert!(
        n_rows > 20_000 && n_partial > 500 && n_refused > 100 && n_notes > 300,
        "{n_rows} {n_partial} {n_refused} {n_notes}"
    );
}
