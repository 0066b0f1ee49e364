//! Minimum and maximum of strings, by bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray, StringViewBuilder};

use crate::heap_groups::HeapKernel;
use crate::states::{HeapValue, TextExtreme};
use crate::{Checked, HeapState};

/// Least or greatest text.
#[derive(Debug, Clone)]
pub(crate) struct TextExtremeKernel {
    /// The least, not the greatest.
    pub(crate) least: bool,
}

impl HeapKernel for TextExtremeKernel {
    type Column = StringViewArray;
    type State = TextExtreme;
    type Group = TextExtreme;

    fn group(&self) -> TextExtreme {
        TextExtreme::new(self.least)
    }
    #[inline]
    fn add(&self, group: &mut TextExtreme, value: &str) {
        group.add(value);
    }
    fn merge(group: &mut TextExtreme, state: &TextExtreme) -> Checked<()> {
        group.merge(state)
    }
    fn finish(group: TextExtreme) -> Checked<TextExtreme> {
        Ok(group)
    }
    #[inline]
    fn heap_size(group: &TextExtreme) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<TextExtreme> {
        TextExtreme::decode(self.least, bytes)
    }
    fn heap_state(state: TextExtreme) -> HeapState {
        HeapState::TextExtreme(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<TextExtreme>>) -> Checked<ArrayRef> {
        let mut column = StringViewBuilder::new();
        for state in states {
            column.append_option(state?.value());
        }
        Ok(Arc::new(column.finish()))
    }
}
