//! Merges by jobs, in ranges of groups.

use std::cell::Cell;

use bytes::Bytes;
use metricc_compiler::{EngineOptions, GroupRange, SegmentRanges};
use metricc_ir::{Frontier, Interval};
use metricc_jobs::Build;
use metricc_runtime_batch::evaluate;
use proptest::prelude::*;

use crate::given::{Here, assert_equal, given, worker};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the size of jobs, of ranges, and whoever fails.
    #[test]
    fn merges_give_what_one_process_gives(
        n_events in 0usize..2000,
        job_positions in 20u64..2000,
        merge_bytes in 1u64..60_000,
        seed: u64,
    ) {
        let given = given(n_events);
        let worker = worker(given.store(), Build::of_this_process());
        let here = Here { worker, seed: Cell::new(seed | 1) };
        let done = given.run_merging(job_positions, merge_bytes, &here).unwrap();
        assert_equal(&done, &given.alone());
    }

    /// A range of merged states is the merge of their ranges, also where they come out of files.
    #[test]
    fn a_range_of_a_merge_is_the_merge_of_ranges(
        n_events in 1usize..2000,
        cut in 0.0f64..1.0,
        n_samples in 1usize..40,
        chosen in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let given = given(n_events);
        let (start, end) = (given.log.start(), given.log.end());
        let at = given.log.frontier_at((given.log.n_positions() as f64 * cut) as u64);
        let states = |from: &Frontier, to: &Frontier| {
            let interval = Interval::new(from.clone(), to.clone()).unwrap();
            let options = EngineOptions::default();
            evaluate(&given.plan, &given.log, &interval, &options, &|_| ()).unwrap().segments
        };
        let (below, above, whole) = (states(&start, &at), states(&at, &end), states(&start, &end));
        for (index, plan) in given.plan.metrics.iter().enumerate() {
            let (below, above) = (&below[index].states, &above[index].states);
            let mut bounds = plan.form.samples(below, n_samples).unwrap();
            bounds.extend(plan.form.samples(above, n_samples).unwrap());
            let mut bounds: Vec<_> = chosen.iter().map(|index| index.get(&bounds).clone()).collect();
            bounds.sort();
            bounds.dedup();
            let mut joined = Vec::new();
            for range in GroupRange::between(&bounds) {
                let parts = [below, above].map(|states| {
                    let part = plan.form.within(states, &range).unwrap();
                    let file = Bytes::from(plan.states_to_file(states).unwrap());
                    prop_assert_eq!(&plan.states_from_file(file, &range).unwrap(), &part);
                    Ok(part)
                });
                let parts = parts.into_iter().collect::<Result<Vec<_>, TestCaseError>>()?;
                let merged = plan.form.collect(&parts).unwrap();
                let expected = plan.form.within(&whole[index].states, &range).unwrap();
                prop_assert_eq!(&merged, &expected);
                joined.push(merged);
            }
            // Each group is in one range.
            let n_rows: usize = joined.iter().map(|part| part.num_rows()).sum();
            prop_assert_eq!(n_rows, whole[index].states.num_rows());
        }
    }
}

#[test]
fn what_is_large_is_merged_by_jobs_and_comes_in_ranges_of_about_one_size() {
    let given = given(20_000);
    let alone = given.alone();
    let here = Here { worker: worker(given.store(), Build::of_this_process()), seed: Cell::new(9) };
    let merge_bytes = 20_000;
    let done = given.run_merging(500, merge_bytes, &here).unwrap();
    assert_equal(&done, &alone);
    assert_eq!(done.n_jobs, 40);
    assert!(done.n_merges > 10, "{} merges", done.n_merges);
    let index = given.plan.metrics.iter().position(|metric| metric.metric.name == "of_id").unwrap();
    let (of_id, n_rows) = (&done.segments[index], alone.segments[index].states.num_rows());
    let n_ranges = of_id.n_ranges();
    assert!(n_ranges >= 4, "{n_ranges} ranges of {n_rows} groups");
    let sizes = (0..n_ranges).map(|index| of_id.range(index).unwrap().states.num_rows());
    let largest = sizes.max().unwrap();
    assert!(largest < 2 * n_rows / n_ranges, "{largest} of {n_rows} groups in one of {n_ranges} ranges");
    // What is small is in one.
    let small = given.plan.metrics.iter().position(|metric| metric.metric.name == "last_v").unwrap();
    assert_eq!(done.segments[small].n_ranges(), 1);
    // What was merged is not merged again.
    let again = given.run_merging(500, merge_bytes, &crate::Nobody).unwrap();
    assert_equal(&again, &alone);
    assert_eq!(again.n_merges, done.n_merges);
}
