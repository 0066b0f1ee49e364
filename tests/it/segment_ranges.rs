//! A segment that is read in ranges of its groups has the rows of the whole, however they are read.

use std::error::Error;

use metricc::user_defined::Imports;
use metricc::{Engine, Evaluated, evaluate};
use metricc_compiler::{GroupRange, MetricPlan, Segment, SegmentRanges};
use metricc_ir::AnyMetric;
use metricc_runtime_serve::{
    OverflowSum, OverflowSummary, ReadOptions, RowPieces, WriteError, arrow_stream, csv, json_lines,
    write_arrow_stream, write_csv, write_json,
};

use crate::layers::{bound, options, package};

const PACKAGE: &str = r#"
calendar paris { zone "Europe/Paris" }
source events { at: timestamp time  k: string?  n: int  v: float }
metric total = sum(v) { from events }
metric by_key = { all: sum(v), most: max(n) } { from events by k }
metric hourly = mean(v) { from events by k every 1h }
metric daily = distinct(n) { from events by k every day in paris }
metric wide = sum(n * 900000000000000000 * 900000000000000000) { from events by n every 6h }
metric sliding = sum(n) { from events by k over last 3h step 1h }
metric visits = count() { from events by k session gap 2h }
metric hourly_n = mean(n) { from events by k every 1h }
metric ratio = hourly / hourly_n
"#;

/// A segment cut at some groups.
#[derive(Debug)]
struct Cut {
    ranges: Vec<Segment>,
}

impl SegmentRanges for Cut {
    fn n_ranges(&self) -> usize {
        self.ranges.len()
    }

    fn range(&self, index: usize) -> Result<Segment, Box<dyn Error + Send + Sync>> {
        Ok(self.ranges[index].clone())
    }
}

fn cut(plan: &MetricPlan, segment: &Segment, n_ranges: usize) -> Cut {
    let bounds = plan.form.samples(&segment.states, n_ranges).expect("bounds");
    let ranges = GroupRange::between(bounds.get(1..).unwrap_or_default());
    let part = |range: &GroupRange| {
        let states = plan.form.within(&segment.states, range).expect("a range");
        Segment { states, ..segment.clone() }
    };
    Cut { ranges: ranges.iter().map(part).collect() }
}

fn ranged_pieces<'a>(
    evaluated: &'a Evaluated,
    metric: &AnyMetric,
    reading: &'a ReadOptions,
) -> RowPieces<'a> {
    evaluated.pieces(metric, &Imports::new(), reading).expect("it has rows")
}

type Write = fn(&RowPieces<'_>, &mut dyn std::io::Write) -> Result<OverflowSum, WriteError>;

/// What a format writes, and what it says could not be computed.
fn written(pieces: &RowPieces<'_>, write: Write) -> (Vec<u8>, Vec<OverflowSummary>) {
    let mut bytes = Vec::new();
    let overflow = write(pieces, &mut bytes).expect("it is written");
    (bytes, overflow.summaries(pieces.row_type()))
}

#[test]
fn rows_of_ranges_are_those_of_the_whole_however_they_are_read() {
    let package = package(PACKAGE);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.csv");
    let line = |n: usize| {
        let (day, hour) = (1 + n * 7 % 9, n * 5 % 24);
        format!("2026-03-2{day}T{hour:02}:30:00Z,{},{},{}.5\n", ["a", "b", "", "d"][n % 4], n % 40, n % 17)
    };
    let lines: String = (0..900).map(line).collect();
    std::fs::write(&path, format!("at,k,n,v\n{lines}")).expect("the log is written");
    let bound = bound(&package, &path);
    let end = bound.log.end();
    let found = evaluate(&bound, Some(Engine::Batch), &end, &options(1, 64), &|_| ()).expect("it evaluates");
    let day = |day: i64| (20_532 + day) * 86_400_000_000;
    let readings = [
        ReadOptions::default(),
        ReadOptions { from: Some(day(2)), to: Some(day(5)), ..ReadOptions::default() },
        ReadOptions { grain: Some(metricc_ir::Window::AllTime), ..ReadOptions::default() },
        ReadOptions { keys: Some(Vec::new()), ..ReadOptions::default() },
    ];
    let mut n_compared = 0;
    for n_ranges in [1, 2, 5, 64] {
        let (mut whole, mut ranged_segments) = (Evaluated::default(), Evaluated::default());
        whole.add(&bound.plan, found.segments.clone());
        for (plan, segment) in bound.plan.metrics.iter().zip(&found.segments) {
            ranged_segments.add_ranges(plan, Box::new(cut(plan, segment, n_ranges)));
        }
        for metric in package.checked.package.all_metrics() {
            for reading in &readings {
                let read = |evaluated: &Evaluated| evaluated.read(&metric, &Imports::new(), reading);
                match (read(&whole), read(&ranged_segments)) {
                    (Ok(whole), Ok(ranged)) => {
                        let lines = |rows| json_lines(rows).collect::<Vec<_>>();
                        assert_eq!(lines(&ranged), lines(&whole), "{} in {n_ranges}", metric.name());
                        let bytes = |rows| arrow_stream(rows).expect("a stream");
                        assert!(bytes(&ranged) == bytes(&whole), "{} in {n_ranges}", metric.name());
                        let pieces = || ranged_pieces(&ranged_segments, &metric, reading);
                        let text: String = json_lines(&whole).map(|line| line + "\n").collect();
                        assert_eq!(written(&pieces(), write_json), (text.into_bytes(), whole.overflows()));
                        let text = csv(&whole).expect("CSV").into_bytes();
                        assert_eq!(written(&pieces(), write_csv), (text, whole.overflows()));
                        assert_eq!(
                            written(&pieces(), write_arrow_stream),
                            (bytes(&whole), whole.overflows())
                        );
                        n_compared += 1;
                    }
                    (whole, ranged) => {
                        let text = |read: Result<_, metricc_runtime_serve::ServeError>| {
                            read.err().map(|error| error.to_string())
                        };
                        assert_eq!(text(ranged), text(whole), "{}", metric.name());
                    }
                }
            }
        }
    }
    assert!(n_compared > 80, "{n_compared}");
}
