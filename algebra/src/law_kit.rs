//! Whether a monoid keeps its laws, on given data.
//!
//! All layers rest on one property: however rows are ordered, cut into batches, grouped and merged, the
//! canonical states are the same bytes. [`check_laws`] tries it on a sample, with cuts and orders drawn
//! from a seed. It does not depend on particular monoids, so it tests built-in and user-defined ones alike.

use std::fmt::Debug;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow::compute;

use crate::{Groups, Layout, Monoid, StateError, merge_words};

mod data;

pub use data::samples;

/// Rows to lift.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The arguments, as [`Groups::lift`] takes them.
    pub args: Vec<ArrayRef>,
    /// The group of every row.
    pub groups: Vec<usize>,
    /// Which rows count.
    pub filter: Option<BooleanArray>,
    /// Number of groups; some may have no row.
    pub n_groups: usize,
}

/// The result of a check: the law that does not hold.
type Check<T> = Result<T, String>;

/// Checks every law on the sample and gives its states.
///
/// # Errors
/// The first law that does not hold, with the states that show it.
pub fn check_laws(monoid: &dyn Monoid, sample: &Sample, seed: u64) -> Check<ArrayRef> {
    let mut random = Random(seed);
    let states = lifted(monoid, sample)?;
    check_form(monoid, &states, sample.n_groups)?;
    check_rows(monoid, sample, &states, &mut random)?;
    check_merging(monoid, sample, &states, &mut random)?;
    check_emitting(monoid, sample, &states, &mut random)?;
    check_engine_free_merge(monoid, sample, &states, &mut random)?;
    Ok(states)
}

/// Types, canonical bytes, presentation.
fn check_form(monoid: &dyn Monoid, states: &ArrayRef, n_groups: usize) -> Check<()> {
    same("type of the states", states.data_type(), &monoid.state_type())?;
    same("number of the states", &states.len(), &n_groups)?;
    let presented = monoid.present(states).map_err(text)?;
    same("type of the presented values", presented.data_type(), &monoid.presented())?;
    same("number of the presented values", &presented.len(), &n_groups)?;
    for row in 0..n_groups {
        let alone = monoid.present(&states.slice(row, 1)).map_err(text)?;
        same("a value presented alone", &alone.to_data(), &presented.slice(row, 1).to_data())?;
        if monoid.layout() == Layout::Heap {
            let bytes = state_bytes(states, row)?;
            let mut again = Vec::new();
            monoid.heap_state(&bytes).map_err(text)?.to_bytes(&mut again);
            same("bytes read and written again", &again, &bytes)?;
        }
    }
    same("identity", &state_bytes(&lifted_states(&mut *monoid.groups(), 1)?, 0)?, &monoid.identity())
}

/// Lifting: one by one, in any order, with skipped rows left out.
fn check_rows(monoid: &dyn Monoid, sample: &Sample, states: &ArrayRef, random: &mut Random) -> Check<()> {
    let n_rows = sample.groups.len();
    let mut groups = monoid.groups();
    for row in 0..n_rows {
        lift(&mut *groups, &sample.slice(row, 1))?;
    }
    same_states("rows lifted one by one", &lifted_states(&mut *groups, sample.n_groups)?, states)?;

    let mut order: Vec<usize> = (0..n_rows).collect();
    random.shuffle(&mut order);
    same_states("rows in another order", &lifted(monoid, &sample.take(&order)?)?, states)?;

    let kept: Vec<usize> = (0..n_rows).filter(|row| sample.counts(monoid.n_required(), *row)).collect();
    let mut dense = sample.take(&kept)?;
    dense.filter = None;
    same_states("skipped rows left out", &lifted(monoid, &dense)?, states)
}

/// ⊕ of parts: in any order and bracketing, with the identity, with itself.
fn check_merging(monoid: &dyn Monoid, sample: &Sample, states: &ArrayRef, random: &mut Random) -> Check<()> {
    let n_groups = sample.n_groups;
    let parts: Vec<ArrayRef> =
        sample.cut(random).iter().map(|part| lifted(monoid, part)).collect::<Check<_>>()?;
    let merge = |parts: &[&ArrayRef]| merged(monoid, parts, n_groups);

    let in_order: Vec<&ArrayRef> = parts.iter().collect();
    same_states("parts merged", &merge(&in_order)?, states)?;
    let mut shuffled = in_order.clone();
    random.shuffle(&mut shuffled);
    same_states("parts merged in another order", &merge(&shuffled)?, states)?;
    let mut from_the_right = lifted_states(&mut *monoid.groups(), n_groups)?;
    for part in parts.iter().rev() {
        from_the_right = merge(&[part, &from_the_right])?;
    }
    same_states("parts merged from the right", &from_the_right, states)?;
    if let [first, second, ..] = parts.as_slice() {
        same_states("a ⊕ b and b ⊕ a", &merge(&[first, second])?, &merge(&[second, first])?)?;
    }

    if monoid.laws().invertible
        && let [first, second, third, ..] = parts.as_slice()
    {
        check_cancelling(n_groups, second, third, &merge(&[first, second])?, &merge(&[first, third])?)?;
    }

    let nothing = lifted_states(&mut *monoid.groups(), n_groups)?;
    same_states("the identity on the left", &merge(&[&nothing, states])?, states)?;
    same_states("the identity on the right", &merge(&[states, &nothing])?, states)?;
    if monoid.laws().idempotent {
        same_states("a state merged with itself", &merge(&[states, states])?, states)?;
    }

    // Lifting on top of merged states, and merging on top of lifted rows.
    let (before, after) = sample.halves(random);
    let mut groups = monoid.groups();
    let numbers: Vec<usize> = (0..n_groups).collect();
    groups.merge(&lifted(monoid, &before)?, &numbers, n_groups).map_err(text)?;
    lift(&mut *groups, &after)?;
    same_states("rows lifted onto merged states", &lifted_states(&mut *groups, n_groups)?, states)
}

/// Where there is an inverse, a ⊕ b = a ⊕ c for no two different states b and c.
fn check_cancelling(
    n_groups: usize,
    second: &ArrayRef,
    third: &ArrayRef,
    with_second: &ArrayRef,
    with_third: &ArrayRef,
) -> Check<()> {
    for group in 0..n_groups {
        let differ = |left, right| Ok::<_, String>(state_bytes(left, group)? != state_bytes(right, group)?);
        if differ(second, third)? && !differ(with_second, with_third)? {
            return Err("declared invertible: a ⊕ b and a ⊕ c are the same for different b and c".to_owned());
        }
    }
    Ok(())
}

/// Emitting the first groups early and going on.
fn check_emitting(monoid: &dyn Monoid, sample: &Sample, states: &ArrayRef, random: &mut Random) -> Check<()> {
    let (before, after) = sample.halves(random);
    let n_early = random.below(sample.n_groups + 1);
    let mut groups = monoid.groups();
    lift(&mut *groups, &before)?;
    let size_before = groups.size();
    let early = groups.emit(n_early).map_err(text)?;
    same("number of states emitted early", &early.len(), &n_early)?;
    // The others have moved to the front; the first come again after them.
    let mut shifted = after;
    for group in &mut shifted.groups {
        *group = (*group + sample.n_groups - n_early) % sample.n_groups;
    }
    lift(&mut *groups, &shifted)?;
    let late = lifted_states(&mut *groups, sample.n_groups)?;
    same("size of no groups", &(groups.size() <= size_before.max(1 << 12)), &true)?;

    let mut whole = monoid.groups();
    let numbers: Vec<usize> = (0..n_early).collect();
    whole.merge(&early, &numbers, sample.n_groups).map_err(text)?;
    let numbers: Vec<usize> = (0..sample.n_groups).map(|place| (place + n_early) % sample.n_groups).collect();
    whole.merge(&late, &numbers, sample.n_groups).map_err(text)?;
    same_states("states emitted early and late", &lifted_states(&mut *whole, sample.n_groups)?, states)
}

/// Merging single states as the stream does it gives what the groups give.
fn check_engine_free_merge(
    monoid: &dyn Monoid,
    sample: &Sample,
    states: &ArrayRef,
    random: &mut Random,
) -> Check<()> {
    let parts: Vec<ArrayRef> =
        sample.cut(random).iter().map(|part| lifted(monoid, part)).collect::<Check<_>>()?;
    for group in 0..sample.n_groups {
        let expected = state_bytes(states, group)?;
        let bytes = match monoid.layout() {
            Layout::Words(program) => {
                let mut state = words_of(&monoid.identity());
                for part in &parts {
                    merge_words(&program, &mut state, &words_of(&state_bytes(part, group)?));
                }
                state.iter().flat_map(|word| word.to_le_bytes()).collect()
            }
            Layout::Heap => {
                let mut state = monoid.heap_state(&monoid.identity()).map_err(text)?;
                for part in &parts {
                    let other = monoid.heap_state(&state_bytes(part, group)?).map_err(text)?;
                    state.merge(&other).map_err(text)?;
                }
                same("a merged and a read state", &state, &monoid.heap_state(&expected).map_err(text)?)?;
                let mut bytes = Vec::new();
                state.to_bytes(&mut bytes);
                bytes
            }
        };
        same("a state merged by itself", &bytes, &expected)?;
    }
    Ok(())
}

impl Sample {
    /// Some rows in a row.
    pub fn slice(&self, start: usize, n_rows: usize) -> Sample {
        Sample {
            args: self.args.iter().map(|arg| arg.slice(start, n_rows)).collect(),
            groups: self.groups[start..start + n_rows].to_vec(),
            filter: self.filter.as_ref().map(|filter| filter.slice(start, n_rows)),
            n_groups: self.n_groups,
        }
    }

    fn take(&self, rows: &[usize]) -> Check<Sample> {
        let indices = UInt64Array::from_iter_values(rows.iter().map(|row| *row as u64));
        let take =
            |array: &dyn Array| compute::take(array, &indices, None).map_err(|error| error.to_string());
        Ok(Sample {
            args: self.args.iter().map(|arg| take(arg)).collect::<Check<_>>()?,
            groups: rows.iter().map(|row| self.groups[*row]).collect(),
            filter: match &self.filter {
                Some(filter) => Some(BooleanArray::from(take(filter)?.to_data())),
                None => None,
            },
            n_groups: self.n_groups,
        })
    }

    /// Whether a row counts: its required arguments are there and the filter is true.
    fn counts(&self, n_required: usize, row: usize) -> bool {
        let passes = self.filter.as_ref().is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        passes && self.args.iter().take(n_required).all(|arg| arg.is_valid(row))
    }

    fn halves(&self, random: &mut Random) -> (Sample, Sample) {
        let cut = random.below(self.groups.len() + 1);
        (self.slice(0, cut), self.slice(cut, self.groups.len() - cut))
    }

    /// Up to five parts that together are the sample.
    fn cut(&self, random: &mut Random) -> Vec<Sample> {
        let n_rows = self.groups.len();
        let mut cuts: Vec<usize> = (0..4).map(|_| random.below(n_rows + 1)).chain([0, n_rows]).collect();
        cuts.sort_unstable();
        cuts.windows(2).map(|ends| self.slice(ends[0], ends[1] - ends[0])).collect()
    }
}

fn lift(groups: &mut dyn Groups, sample: &Sample) -> Check<()> {
    groups.lift(&sample.args, &sample.groups, sample.filter.as_ref(), sample.n_groups).map_err(text)
}

fn lifted(monoid: &dyn Monoid, sample: &Sample) -> Check<ArrayRef> {
    let mut groups = monoid.groups();
    lift(&mut *groups, sample)?;
    lifted_states(&mut *groups, sample.n_groups)
}

fn lifted_states(groups: &mut dyn Groups, n_groups: usize) -> Check<ArrayRef> {
    groups.emit(n_groups).map_err(text)
}

fn merged(monoid: &dyn Monoid, parts: &[&ArrayRef], n_groups: usize) -> Check<ArrayRef> {
    let mut groups = monoid.groups();
    let numbers: Vec<usize> = (0..n_groups).collect();
    for part in parts {
        groups.merge(part, &numbers, n_groups).map_err(text)?;
    }
    lifted_states(&mut *groups, n_groups)
}

/// The canonical bytes of one state of a column.
///
/// # Errors
/// When the column is not one of states.
pub fn state_bytes(states: &ArrayRef, row: usize) -> Check<Vec<u8>> {
    use arrow::array::AsArray;
    if let Some(column) = states.as_fixed_size_binary_opt() {
        Ok(column.value(row).to_vec())
    } else if let Some(column) = states.as_binary_opt::<i32>() {
        Ok(column.value(row).to_vec())
    } else {
        Err(format!("a column of type {} does not hold states", states.data_type()))
    }
}

fn words_of(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn same<T: PartialEq + Debug + ?Sized>(law: &str, found: &T, expected: &T) -> Check<()> {
    if found == expected { Ok(()) } else { Err(format!("{law}: found {found:?}, expected {expected:?}")) }
}

fn same_states(law: &str, found: &ArrayRef, expected: &ArrayRef) -> Check<()> {
    same(law, &found.to_data(), &expected.to_data())
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of `map_err`")]
fn text(error: StateError) -> String {
    error.to_string()
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough to draw cuts and orders, the same on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }
}
