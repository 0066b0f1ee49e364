//! Rows drawn in the terminal: a line over the windows of each key; bars where there are no windows.

use std::collections::{BTreeMap, BTreeSet};

use metricc_client::jiff::{SignedDuration, civil};
use metricc_ir::text::visible;
use serde_json::Value;
use textplots::{Chart, LabelBuilder, LabelFormat, Plot, Shape};

use super::table::values;

/// Most charts of one answer, and most bars of one chart.
const MAX_CHARTS: usize = 8;
const MAX_BARS: usize = 40;

/// Height of a chart, in dots of which four make a line of text.
const HEIGHT: u32 = 40;

/// The instant from which seconds are counted.
const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// Draws rows. Values that are null or not numbers are left out.
pub(crate) fn plot(metric: &str, rows: &[Value], width: usize) -> String {
    let mut series: BTreeMap<String, Vec<(Option<f64>, f64)>> = BTreeMap::new();
    for row in rows {
        let at = row["window"]["start"].as_str().and_then(seconds);
        for (name, value) in values(row) {
            let Some(value) = number(&value) else { continue };
            let output = if name == "value" { metric.to_owned() } else { format!("{metric}.{name}") };
            series
                .entry(visible(&format!("{output}{}", named_keys(row))).into_owned())
                .or_default()
                .push((at, value));
        }
    }
    if series.is_empty() {
        return "nothing to draw: these rows have no numbers\n".to_owned();
    }
    let is_over_time = series.values().flatten().all(|(at, _)| at.is_some());
    let drawn = if is_over_time { lines(&series, width) } else { bars(&series, width) };
    let partial = rows.iter().filter(|row| row["window"]["partial"] == true);
    let partial: BTreeSet<&str> = partial.filter_map(|row| row["window"]["start"].as_str()).collect();
    match partial.is_empty() {
        true => drawn,
        false => {
            let starts = partial.into_iter().collect::<Vec<_>>().join(", ");
            format!("{drawn}partial, since the range cuts them: the windows from {starts} on\n")
        }
    }
}

fn lines(series: &BTreeMap<String, Vec<(Option<f64>, f64)>>, width: usize) -> String {
    let mut text = String::new();
    for (name, points) in series.iter().take(MAX_CHARTS) {
        text.push_str(&format!("{name}\n"));
        text.push_str(&line(points, width));
    }
    more(&mut text, series.len(), MAX_CHARTS, "charts");
    text
}

fn line(points: &[(Option<f64>, f64)], width: usize) -> String {
    let first = points.iter().filter_map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
    let last = points.iter().filter_map(|(at, _)| *at).fold(f64::NEG_INFINITY, f64::max);
    // One point has no width: an hour is added on both sides.
    let (first, last) = if last > first { (first, last) } else { (first - 3600.0, last + 3600.0) };
    let near = |at: &Option<f64>, value: &f64| ((at.unwrap_or(first) - first) as f32, *value as f32);
    let points: Vec<(f32, f32)> = points.iter().map(|(at, value)| near(at, value)).collect();
    let n_columns = u32::try_from(width.saturating_sub(16).clamp(20, 120)).unwrap_or(80);
    let label = move |seconds: f32| clock(first + f64::from(seconds));
    let shape = if points.len() == 1 { Shape::Points(&points) } else { Shape::Lines(&points) };
    let mut chart = Chart::new(n_columns * 2, HEIGHT, 0.0, (last - first) as f32);
    let chart = chart.x_label_format(LabelFormat::Custom(Box::new(label))).lineplot(&shape);
    chart.axis();
    chart.figures();
    chart.to_string()
}

fn bars(series: &BTreeMap<String, Vec<(Option<f64>, f64)>>, width: usize) -> String {
    let named = series.iter().flat_map(|(name, points)| points.iter().map(move |(_, value)| (name, *value)));
    let all: Vec<(&String, f64)> = named.collect();
    let most = all.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max);
    let longest = all.iter().take(MAX_BARS).map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let n_columns = width.saturating_sub(longest + 18).clamp(10, 100);
    let mut text = String::new();
    for (name, value) in all.iter().take(MAX_BARS) {
        let share = if most > 0.0 { value.abs() / most } else { 0.0 };
        let sign = if *value < 0.0 { "-" } else { "" };
        let bar = "█".repeat((share * n_columns as f64).round() as usize);
        text.push_str(&format!("{name:longest$} {sign}{bar} {value}\n"));
    }
    more(&mut text, all.len(), MAX_BARS, "bars");
    text
}

fn more(text: &mut String, n: usize, shown: usize, what: &str) {
    if n > shown {
        text.push_str(&format!("… and {} more {what}; choose some with `--key`\n", n - shown));
    }
}

fn named_keys(row: &Value) -> String {
    let keys = row["key"].as_object().into_iter().flatten().map(|(name, value)| match value {
        Value::String(text) => format!(" {name}={text}"),
        value => format!(" {name}={value}"),
    });
    keys.collect()
}

fn number(value: &Value) -> Option<f64> {
    let value = match value {
        Value::Number(number) => number.as_f64(),
        // Decimals are strings, so that no digit is lost.
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    value.filter(|value| value.is_finite())
}

/// The local time of the window's zone, in seconds.
fn seconds(text: &str) -> Option<f64> {
    let clock: civil::DateTime = text.get(..19)?.parse().ok()?;
    Some(clock.duration_since(EPOCH).as_secs_f64())
}

fn clock(seconds: f64) -> String {
    let clock = EPOCH.checked_add(SignedDuration::from_secs(seconds as i64));
    clock.map_or_else(|_| String::new(), |clock| clock.strftime("%F %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn windows_become_a_line_for_each_key() {
        let row = |hour: u32, country: &str, value: &str| {
            json!({"metric":"m","key":{"country":country},"value":value,
                   "window":{"start":format!("2026-04-25T{hour:02}:00:00Z"),"end":format!("2026-04-25T{hour:02}:59:00Z")}})
        };
        let rows: Vec<Value> =
            (0..6).flat_map(|hour| [row(hour, "IN", &format!("{hour}.50")), row(hour, "DE", "-2")]).collect();
        let text = plot("revenue", &rows, 80);
        assert!(text.contains("revenue country=DE\n") && text.contains("revenue country=IN\n"), "{text}");
        assert!(text.contains("2026-04-25 00:00") && text.contains("2026-04-25 05:00"), "{text}");
        assert!(text.contains("-2.0") && text.contains("0.5") && text.contains("5.5"), "{text}");
        // Each line goes from one end to the other.
        let is_dot = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
        let charts: Vec<&str> = text.split("revenue country=").skip(1).collect();
        for chart in charts {
            let lines: Vec<Vec<char>> = chart.lines().skip(1).map(|line| line.chars().collect()).collect();
            let n_drawn = (1..60)
                .filter(|at| lines.iter().any(|line| line.get(*at).is_some_and(|c| is_dot(*c))))
                .count();
            assert!(n_drawn > 55, "{n_drawn}\n{chart}");
        }
        assert_eq!(seconds("2026-04-25T00:00:00+02:00").map(clock).as_deref(), Some("2026-04-25 00:00"));
    }

    #[test]
    fn rows_without_windows_become_bars_whose_lengths_are_their_values() {
        let row = |user: u32, n: u32| json!({"metric":"m","key":{"user":user},"window":null,"value":{"n":n,"name":"x"}});
        let text = plot("m", &[row(1, 10), row(2, 20), row(3, 0)], 60);
        let lengths: Vec<usize> = text.lines().map(|line| line.matches('█').count()).collect();
        assert_eq!(lengths[1], 2 * lengths[0], "{text}");
        assert_eq!(lengths[2], 0, "{text}");
        assert!(text.starts_with("m.n user=1"), "{text}");
    }

    #[test]
    fn rows_without_numbers_give_a_message() {
        let row = json!({"metric":"m","key":{},"window":null,"value":"IN"});
        assert!(plot("m", &[row], 80).contains("nothing to draw"));
    }
}
