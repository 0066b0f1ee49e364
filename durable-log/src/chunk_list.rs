//! The chunks of a partition, as a list of which copies are cheap: each write publishes one.
//!
//! A node with small requests has a chunk per write, so a list of a million of them is copied hundreds of
//! times a second. Copies share all blocks; adding a chunk copies the last block and the list of blocks
//! alone.

use std::sync::Arc;

use crate::chunk::Chunk;

/// Chunks of a block.
const BLOCK: usize = 256;

/// Contiguous chunks, in the order of their offsets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks {
    /// None is empty.
    blocks: Arc<Vec<Arc<Vec<Arc<Chunk>>>>>,
}

impl Chunks {
    /// Adds a chunk that follows the last one.
    pub(crate) fn push(&mut self, chunk: Arc<Chunk>) {
        let blocks = Arc::make_mut(&mut self.blocks);
        match blocks.last_mut() {
            Some(last) if last.len() < BLOCK => Arc::make_mut(last).push(chunk),
            _ => blocks.push(Arc::new(vec![chunk])),
        }
    }

    /// The chunks from the one on that holds an offset, or would.
    pub(crate) fn from(&self, offset: u64) -> impl Iterator<Item = &Arc<Chunk>> {
        let ends_before = |chunk: &Arc<Chunk>| chunk.range.to <= offset;
        let block = self.blocks.partition_point(|block| block.last().is_some_and(ends_before));
        let index = self.blocks.get(block).map_or(0, |block| block.partition_point(ends_before));
        self.blocks[block..].iter().flat_map(|block| block.iter()).skip(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// Replaces the chunks whose positions another one holds.
    pub(crate) fn replace(&mut self, chunk: &Arc<Chunk>) {
        let before = self.iter().take_while(|known| known.range.to <= chunk.range.from);
        let after = self.from(chunk.range.to);
        *self = before.chain([chunk]).chain(after).cloned().collect();
    }
}

impl FromIterator<Arc<Chunk>> for Chunks {
    fn from_iter<T: IntoIterator<Item = Arc<Chunk>>>(chunks: T) -> Self {
        let mut all = Chunks::default();
        chunks.into_iter().for_each(|chunk| all.push(chunk));
        all
    }
}
