//! Merging rejects gaps, overlaps and segments of other metrics (C81, C84, C85).

use metricc::{Bound, Engine, evaluate_interval};
use metricc_compiler::{Segment, SegmentError};
use metricc_log::{Frontier, Interval};
use metricc_runtime_serve::{ServeError, merge, present};

use crate::layers::{bound, options, package};

const TEXT: &str = "source events { at: timestamp time  v: int }\nmetric total = sum(v) { from events }\n";

fn with_bound(text: &str, check: impl Fn(&Bound)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    let rows: String = (0..10).map(|v| format!("2026-01-01T00:00:00Z,{v}\n")).collect();
    std::fs::write(&path, format!("at,v\n{rows}")).expect("the log is written");
    check(&bound(&package(text), &path));
}

fn segment(bound: &Bound, engine: Engine, from: u64, to: u64) -> Segment {
    let interval = Interval::new(Frontier(vec![from]), Frontier(vec![to])).expect("an interval");
    let evaluation =
        evaluate_interval(bound, engine, &interval, &options(1, 3), &|_| ()).expect("it evaluates");
    evaluation.segments.into_iter().next().expect("one metric")
}

#[test]
fn adjacent_segments_of_any_engine_merge_in_any_grouping() {
    with_bound(TEXT, |bound| {
        let plan = &bound.plan.metrics[0];
        let pieces = [
            segment(bound, Engine::Batch, 0, 3),
            segment(bound, Engine::Stream, 3, 3),
            segment(bound, Engine::Stream, 3, 7),
            segment(bound, Engine::Batch, 7, 10),
        ];
        let whole = segment(bound, Engine::Batch, 0, 10);
        let left = merge(plan, &pieces).expect("they are adjacent");
        let tail = merge(plan, &pieces[2..]).expect("they are adjacent");
        let right = merge(plan, &[pieces[0].clone(), pieces[1].clone(), tail]).expect("they are adjacent");
        assert_eq!(left.first_difference(&whole), None);
        assert_eq!(right.first_difference(&whole), None);
        assert_eq!(left.interval, whole.interval);
    });
}

#[test]
fn c81_c85_a_gap_or_an_overlap_is_rejected() {
    with_bound(TEXT, |bound| {
        let plan = &bound.plan.metrics[0];
        let merged = |from, to| {
            merge(plan, &[segment(bound, Engine::Batch, 0, from), segment(bound, Engine::Stream, to, 10)])
        };
        assert!(matches!(merged(4, 5), Err(ServeError::Segment(SegmentError::Gap { .. }))));
        assert!(matches!(merged(5, 4), Err(ServeError::Segment(SegmentError::Overlap { .. }))));
        assert!(merged(4, 4).is_ok());
        assert!(matches!(merge(plan, &[]), Err(ServeError::NoSegment { .. })));
    });
}

#[test]
fn c84_states_of_another_definition_are_rejected() {
    with_bound(TEXT, |old| {
        with_bound(&TEXT.replace("sum(v)", "sum(v + 1)"), |new| {
            let plan = &new.plan.metrics[0];
            let refused = |segments: &[Segment]| {
                assert!(matches!(merge(plan, segments), Err(ServeError::Segment(SegmentError::Hash { .. }))));
            };
            refused(&[segment(old, Engine::Batch, 0, 5), segment(new, Engine::Stream, 5, 10)]);
            refused(&[segment(new, Engine::Batch, 0, 5), segment(old, Engine::Stream, 5, 10)]);
            refused(&[segment(old, Engine::Batch, 0, 10)]);
            assert!(present(plan, &segment(old, Engine::Batch, 0, 10)).is_err());
        });
    });
}

#[test]
fn the_hash_follows_the_meaning_and_not_the_spelling() {
    let plan = |text: &str| {
        let package = package(text);
        let metrics = package.metrics(&[]).expect("a metric");
        metricc_compiler::SourcePlan::new(&metrics, &metricc::user_defined::Imports::new())
            .expect("a plan")
            .metrics[0]
            .clone()
    };
    let hash = |text: &str| plan(text).hash;
    let spelled =
        "source events{at:timestamp time v:int}/// Doc\nmetric other={from events}".replace("={", "=sum(v){");
    assert_eq!(hash(TEXT), hash(&spelled));
    assert_ne!(hash(TEXT), hash(&TEXT.replace("sum(v)", "sum(v) where v > 0")));
    assert_ne!(hash(TEXT), hash(&TEXT.replace("from events }", "from events  every 1h }")));
    // Readers put days together to weeks; the states of days do not depend on where weeks start.
    let by = |unit: &str, start: &str| {
        let calendar = format!("calendar c {{ zone \"UTC\", week {start} }}\n");
        plan(&(calendar + &TEXT.replace("from events }", &format!("from events  every {unit} in c }}"))))
    };
    for (unit, has_other_states) in [("day", false), ("week", true)] {
        let (monday, sunday) = (by(unit, "monday"), by(unit, "sunday"));
        assert_ne!(monday.hash, sunday.hash, "{unit}");
        assert_eq!(monday.state_hash != sunday.state_hash, has_other_states, "{unit}");
    }
}
