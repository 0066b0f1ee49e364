//! What is remembered of identities, made anew from the log when it is opened.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

use super::error::DurableError;
use super::log::DurableLog;
use super::recent::{Horizon, RecentIdentities};
use super::stage::no_rows;
use crate::decode::SharedRules;
use crate::identity::{RowKeys, too_many};
use crate::partition::Range;
use crate::{Frontier, Log, Position, Slice};

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

impl DurableLog {
    /// Reads the identities of a source that still count.
    pub(super) fn remember(&mut self, name: &str, horizon: Horizon) -> Result<(), DurableError> {
        let ends = self.end(name);
        let log = self.log(name, &Frontier(vec![0; ends.0.len()]))?;
        for (partition, end) in (0u32..).zip(ends.0) {
            let mut recent = RecentIdentities::new(horizon);
            let ranges = match horizon {
                Horizon::Positions(length) => {
                    recent.reach(i64::try_from(end).unwrap_or(i64::MAX));
                    vec![Range { from: end.saturating_sub(length), to: end }]
                }
                Horizon::EventTime { .. } => self.ranges_by_time(name, partition, end, &log, &mut recent)?,
            };
            let Some(source) = self.sources.get_mut(name) else { continue };
            for Range { from, to } in ranges {
                let columns: Vec<usize> = (0..=source.rules.fields.len()).collect();
                for batch in log.read(&Slice { partition, from, to }, &columns, BATCH_ROWS)? {
                    let rows = batch?.rows;
                    let (arrays, places) = rows.columns().split_at(source.rules.fields.len());
                    put(&mut recent, &source.rules, arrays, places)?;
                }
            }
            recent.forget();
            if let Some(known) = source.recent.get_mut(partition as usize) {
                *known = recent;
            }
        }
        Ok(())
    }

    /// The positions where there may be events that still count by their time, when all times are reached.
    fn ranges_by_time(
        &self,
        name: &str,
        partition: u32,
        end: u64,
        log: &Log,
        recent: &mut RecentIdentities,
    ) -> Result<Vec<Range>, DurableError> {
        let state = self.fold.state.sources.get(name);
        let state = state.and_then(|state| state.partitions.get(partition as usize));
        let time = log.source().time;
        // Of each file and of the journal behind them, the latest event time.
        let sealed = state.map_or(&[][..], |state| &state.sealed);
        let mut known: Vec<(Range, Option<i64>)> = sealed
            .iter()
            .map(|sealed| (Range { from: sealed.from, to: sealed.to }, sealed.last_time))
            .collect();
        let sealed_to = sealed.last().map_or(0, |sealed| sealed.to);
        known.push((Range { from: sealed_to, to: end }, None));
        for (Range { from, to }, last) in &mut known {
            if last.is_none() {
                for batch in log.read(&Slice { partition, from: *from, to: *to }, &[time], BATCH_ROWS)? {
                    *last = (*last).max(last_time(batch?.rows.column(0)));
                }
            }
            if let Some(last) = last {
                recent.reach(*last);
            }
        }
        let first_counted = recent.first_counted();
        let counts = |(_, last): &(Range, Option<i64>)| last.is_some_and(|last| last >= first_counted);
        Ok(known.into_iter().filter(counts).map(|(range, _)| range).collect())
    }
}

/// The latest of some event times, in µs; none if there are none.
pub(crate) fn last_time(times: &ArrayRef) -> Option<i64> {
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    arrow::compute::max(times)
}

/// Remembers accepted rows: all columns, and behind them that of their places.
fn put(
    recent: &mut RecentIdentities,
    rules: &SharedRules,
    arrays: &[ArrayRef],
    places: &[ArrayRef],
) -> Result<(), DurableError> {
    let mut keys = RowKeys::new(arrays, rules).ok_or_else(no_rows)?;
    let times =
        arrays.get(rules.source.time).and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let places = places.first().and_then(|places| places.as_primitive_opt::<Decimal128Type>());
    let (Some(times), Some(places)) = (times, places) else { return Err(no_rows()) };
    for row in 0..times.len() {
        let mark = recent.horizon().mark(Position::from_order(places.value(row)).offset, times.value(row));
        let (identity, payload) = keys.at(row);
        recent.put(mark, identity, payload).ok_or_else(|| too_many(rules))?;
    }
    Ok(())
}
