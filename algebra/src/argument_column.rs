//! Reading argument columns: which rows count, and a loop over them that is compiled for each type.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringViewArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use crate::scalar::Scalar;
use crate::{Result, StateError};

/// The arguments of `lift`, of known types: one column, or several side by side.
pub(crate) trait Column: Sized + 'static {
    /// What one row holds.
    type Item<'a>: Copy;

    /// The arguments of `lift`, if they are of this kind.
    fn open(args: &[ArrayRef]) -> Option<Self>;
    /// All rows in order, null or not.
    fn items(&self) -> impl Iterator<Item = Self::Item<'_>>;
    /// One row, null or not.
    fn item(&self, row: usize) -> Self::Item<'_>;
    /// Which rows are null: those that have a null in any argument.
    fn nulls(&self) -> Option<NullBuffer>;
    /// Whether every selected row has a valid value: floats have to be finite.
    fn is_proper(&self, _selected: Option<&BooleanBuffer>) -> bool {
        true
    }
}

/// The argument of an aggregate without one.
#[derive(Debug)]
pub(crate) struct NoColumn;

impl Column for NoColumn {
    type Item<'a> = ();

    fn open(args: &[ArrayRef]) -> Option<Self> {
        args.is_empty().then_some(NoColumn)
    }
    fn items(&self) -> impl Iterator<Item = ()> {
        std::iter::repeat(())
    }
    fn item(&self, _row: usize) {}
    fn nulls(&self) -> Option<NullBuffer> {
        None
    }
}

impl<T: ArrowPrimitiveType> Column for PrimitiveArray<T>
where
    T::Native: Scalar,
{
    type Item<'a> = T::Native;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        args.first().and_then(|array| array.as_primitive_opt::<T>()).cloned()
    }
    #[inline]
    fn items(&self) -> impl Iterator<Item = T::Native> {
        self.values().iter().copied()
    }
    #[inline]
    fn item(&self, row: usize) -> T::Native {
        self.value(row)
    }
    fn nulls(&self) -> Option<NullBuffer> {
        Array::nulls(self).cloned()
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        if T::Native::ALWAYS_PROPER {
            return true;
        }
        match selected {
            None => self.values().iter().fold(true, |all, value| all & value.is_proper()),
            Some(selected) => selected.set_indices().all(|row| self.value(row).is_proper()),
        }
    }
}

impl Column for BooleanArray {
    type Item<'a> = bool;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        args.first().and_then(|array| array.as_boolean_opt()).cloned()
    }
    #[inline]
    fn items(&self) -> impl Iterator<Item = bool> {
        self.values().iter()
    }
    #[inline]
    fn item(&self, row: usize) -> bool {
        self.value(row)
    }
    fn nulls(&self) -> Option<NullBuffer> {
        Array::nulls(self).cloned()
    }
}

impl Column for StringViewArray {
    type Item<'a> = &'a str;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        args.first().and_then(|array| array.as_string_view_opt()).cloned()
    }
    #[inline]
    fn items(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.value(row))
    }
    #[inline]
    fn item(&self, row: usize) -> &str {
        self.value(row)
    }
    fn nulls(&self) -> Option<NullBuffer> {
        Array::nulls(self).cloned()
    }
}

/// Two arguments, or one and several more.
impl<A: Column, B: Column> Column for (A, B) {
    type Item<'a> = (A::Item<'a>, B::Item<'a>);

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let (first, rest) = args.split_first()?;
        Some((A::open(std::slice::from_ref(first))?, B::open(rest)?))
    }
    fn items(&self) -> impl Iterator<Item = Self::Item<'_>> {
        self.0.items().zip(self.1.items())
    }
    #[inline]
    fn item(&self, row: usize) -> Self::Item<'_> {
        (self.0.item(row), self.1.item(row))
    }
    fn nulls(&self) -> Option<NullBuffer> {
        NullBuffer::union(self.0.nulls().as_ref(), self.1.nulls().as_ref())
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        self.0.is_proper(selected) && self.1.is_proper(selected)
    }
}

/// How a value of a column comes into a state. A trait and no closure, so that it can be made a part of the
/// loop for certain: called row by row, it keeps the processor from overlapping what it fetches for several
/// rows.
pub(crate) trait AddValue<C: Column> {
    /// What values are added to.
    type State;

    /// Adds one.
    fn add(&mut self, state: &mut Self::State, value: C::Item<'_>);
}

/// The rows of one `lift` that count, checked to fit together.
pub(crate) struct Rows<'a, C> {
    monoid: &'a str,
    column: C,
    groups: &'a [usize],
    selected: Option<BooleanBuffer>,
}

impl<'a, C: Column> Rows<'a, C> {
    /// Checks the arguments of `lift` against each other and against the declared type. Afterwards
    /// every selected value is proper.
    pub(crate) fn open(
        monoid: &'a str,
        expected: &[DataType],
        args: &[ArrayRef],
        groups: &'a [usize],
        filter: Option<&BooleanArray>,
    ) -> Result<Self> {
        let error = |problem: String| StateError::new(monoid, problem);
        check_arguments(expected, args, groups.len()).map_err(error)?;
        let column = C::open(args).ok_or_else(|| error("an argument is of another type".into()))?;
        if filter.is_some_and(|filter| filter.len() != groups.len()) {
            return Err(error("the filter and the group numbers differ in length".into()));
        }
        let selected = selection(column.nulls().as_ref(), filter);
        if !column.is_proper(selected.as_ref()) {
            return Err(error("a float that comes in is not finite".into()));
        }
        Ok(Rows { monoid, column, groups, selected })
    }

    /// Adds the value of every row that counts to the state of its group, in order. Fails where a group
    /// number is beyond the states; the other rows are added nevertheless.
    #[inline]
    pub(crate) fn add_to<A: AddValue<C>>(self, states: &mut [A::State], adding: &mut A) -> Result<()> {
        let mut are_below = true;
        match &self.selected {
            None => {
                for (group, item) in self.groups.iter().zip(self.column.items()) {
                    match states.get_mut(*group) {
                        Some(state) => adding.add(state, item),
                        None => are_below = false,
                    }
                }
            }
            Some(selected) => {
                for row in selected.set_indices() {
                    match states.get_mut(self.groups[row]) {
                        Some(state) => adding.add(state, self.column.item(row)),
                        None => are_below = false,
                    }
                }
            }
        }
        if are_below { Ok(()) } else { Err(not_below(self.monoid, states.len())) }
    }
}

fn check_arguments(
    expected: &[DataType],
    args: &[ArrayRef],
    n_rows: usize,
) -> std::result::Result<(), String> {
    if args.len() != expected.len() {
        return Err(format!("{} arguments came in, declared are {}", args.len(), expected.len()));
    }
    for (argument, expected) in args.iter().zip(expected) {
        if argument.data_type() != expected {
            let found = argument.data_type();
            return Err(format!("the argument is of type `{found}`, declared is `{expected}`"));
        }
        if argument.len() != n_rows {
            return Err("the argument and the group numbers differ in length".into());
        }
    }
    Ok(())
}

/// The error of a group number that is too large.
pub(crate) fn not_below(monoid: &str, n_groups: usize) -> StateError {
    StateError::new(monoid, format!("a group number is not below {n_groups}"))
}

/// The rows that are neither null nor filtered out; `None` when all count.
pub(crate) fn selection(nulls: Option<&NullBuffer>, filter: Option<&BooleanArray>) -> Option<BooleanBuffer> {
    let present = nulls.filter(|nulls| nulls.null_count() > 0).map(NullBuffer::inner);
    let passed = filter.map(|filter| match Array::nulls(filter) {
        Some(nulls) if nulls.null_count() > 0 => filter.values() & nulls.inner(),
        _ => filter.values().clone(),
    });
    match (present, passed) {
        (None, passed) => passed,
        (Some(present), None) => Some(present.clone()),
        (Some(present), Some(passed)) => Some(present & &passed),
    }
}
