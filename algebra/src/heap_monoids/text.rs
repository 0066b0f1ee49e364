//! Minimum and maximum of strings, by bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};

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
    type Column = StringArray;
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
        let mut column = StringBuilder::new();
        let mut n_bytes = 0;
        for state in states {
            let state = state?;
            n_bytes += state.value().map_or(0, str::len);
            if n_bytes > i32::MAX as usize {
                return Err("the texts to present at once exceed 2 GiB");
            }
            column.append_option(state.value());
        }
        Ok(Arc::new(column.finish()))
    }
}
