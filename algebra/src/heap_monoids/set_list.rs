//! Sets presented as sorted lists: the states of exact distinct counts.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::list_values::{Lists, lists_of};
use crate::states::{DecimalSet, HeapValue, TextSet, TextSetBuilder, WordSet, WordSetBuilder};
use crate::values::{Shape, column_of};
use crate::{Checked, HeapState};

/// A set whose values can be listed as bytes.
pub(crate) trait Listable: HeapValue {
    /// Hands over the bytes of each value of this shape, in order.
    fn each(&self, shape: Shape, value: impl FnMut(&[u8]));
}

impl Listable for WordSet {
    fn each(&self, shape: Shape, mut value: impl FnMut(&[u8])) {
        self.words().iter().for_each(|word| shape.with_word_bytes(*word, &mut value));
    }
}

impl Listable for DecimalSet {
    fn each(&self, _shape: Shape, mut value: impl FnMut(&[u8])) {
        self.words().iter().for_each(|word| value(&word.to_be_bytes()));
    }
}

impl Listable for TextSet {
    fn each(&self, _shape: Shape, value: impl FnMut(&[u8])) {
        self.texts().for_each(value);
    }
}

/// Presents sets as lists.
fn present<S: Listable>(
    states: impl Iterator<Item = Checked<S>>,
    shape: Shape,
    element: &DataType,
) -> Checked<ArrayRef> {
    let (mut lengths, mut bytes, mut ends) = (Vec::new(), Vec::new(), vec![0]);
    for state in states {
        let n_before = ends.len();
        state?.each(shape, |value| {
            bytes.extend(value);
            ends.push(bytes.len());
        });
        lengths.push(ends.len() - n_before);
    }
    let values = ends.windows(2).map(|ends| Some(&bytes[ends[0]..ends[1]]));
    lists_of(&lengths, column_of(element, values)?)
}

/// The values of a distinct count; `K` is the kernel that counts them.
#[derive(Debug, Clone)]
pub(crate) struct Listed<K> {
    pub(crate) counted: K,
    pub(crate) shape: Shape,
    pub(crate) element: DataType,
}

impl<K: HeapKernel> HeapKernel for Listed<K>
where
    K::State: Listable,
{
    type Column = K::Column;
    type State = K::State;
    type Group = K::Group;

    fn group(&self) -> K::Group {
        self.counted.group()
    }
    #[inline]
    fn add(&self, group: &mut K::Group, value: <K::Column as Column>::Item<'_>) {
        self.counted.add(group, value);
    }
    fn merge(group: &mut K::Group, state: &K::State) -> Checked<()> {
        K::merge(group, state)
    }
    fn finish(group: K::Group) -> Checked<K::State> {
        K::finish(group)
    }
    #[inline]
    fn heap_size(group: &K::Group) -> usize {
        K::heap_size(group)
    }
    fn decode(&self, bytes: &[u8]) -> Checked<K::State> {
        self.counted.decode(bytes)
    }
    fn heap_state(state: K::State) -> HeapState {
        K::heap_state(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<K::State>>) -> Checked<ArrayRef> {
        present(states, self.shape, &self.element)
    }
}

/// The union of lists whose elements are words.
#[derive(Debug, Clone)]
pub(crate) struct UnionWords {
    pub(crate) shape: Shape,
    pub(crate) element: DataType,
}

/// The union of lists of decimals.
#[derive(Debug, Clone)]
pub(crate) struct UnionDecimals {
    pub(crate) element: DataType,
}

/// The union of lists of texts.
#[derive(Debug, Clone)]
pub(crate) struct UnionTexts;

/// What the kernels over lists have in common: all but how an element is added.
macro_rules! union_kernel {
    ($set:ident, $builder:ty, $kernel:ident => $shape:expr, $element:expr) => {
        type Column = Lists;
        type State = $set;
        type Group = $builder;

        fn group(&self) -> $builder {
            <$builder>::default()
        }
        fn merge(group: &mut $builder, state: &$set) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: $builder) -> Checked<$set> {
            Ok(group.finish())
        }
        fn heap_size(group: &$builder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<$set> {
            $set::decode(bytes)
        }
        fn heap_state(state: $set) -> HeapState {
            HeapState::$set(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<$set>>) -> Checked<ArrayRef> {
            let $kernel = self;
            present(states, $shape, $element)
        }
    };
}

/// The word of a value, as the distinct count of its type holds it.
fn word_of(shape: Shape, bytes: &[u8]) -> u64 {
    match (shape, bytes) {
        (Shape::Short, bytes) => {
            let value = bytes.try_into().map_or(0, u32::from_be_bytes) ^ 1 << 31;
            crate::scalar::OneWord::to_word(value as i32)
        }
        (_, [truth]) => u64::from(*truth),
        (_, bytes) => bytes.try_into().map_or(0, u64::from_be_bytes),
    }
}

impl HeapKernel for UnionWords {
    union_kernel!(WordSet, WordSetBuilder<u64>, kernel => kernel.shape, &kernel.element);

    fn add(&self, group: &mut WordSetBuilder<u64>, list: <Lists as Column>::Item<'_>) {
        list.values().for_each(|value| value.with_bytes(|bytes| group.add(word_of(self.shape, bytes))));
    }
}

impl HeapKernel for UnionDecimals {
    union_kernel!(DecimalSet, WordSetBuilder<u128>, kernel => Shape::Wide, &kernel.element);

    fn add(&self, group: &mut WordSetBuilder<u128>, list: <Lists as Column>::Item<'_>) {
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u128::from_be_bytes);
        list.values().for_each(|value| value.with_bytes(|bytes| group.add(word(bytes))));
    }
}

impl HeapKernel for UnionTexts {
    union_kernel!(TextSet, TextSetBuilder, _kernel => Shape::Text, &DataType::Utf8View);

    fn add(&self, group: &mut TextSetBuilder, list: <Lists as Column>::Item<'_>) {
        // Texts of a column are UTF-8: none is left out.
        let mut add = |bytes: &[u8]| std::str::from_utf8(bytes).into_iter().for_each(|text| group.add(text));
        list.values().for_each(|value| value.with_bytes(&mut add));
    }
}
