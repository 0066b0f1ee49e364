//! Buffers for pages of files, used again. A fresh buffer is cleared before it is filled, by us and, where
//! the allocator has none left, by the kernel, which costs as much as reading into it.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that wait at most: about one for each column that is read.
const MAX_WAITING: usize = 16;

/// Bytes of the largest buffer that waits. Pages have about a megabyte.
const MAX_BYTES: usize = 4 << 20;

/// Buffers that wait to be filled again.
#[derive(Debug, Default)]
pub(crate) struct PageBuffers(Mutex<Vec<Vec<u8>>>);

/// A buffer that returns when nobody needs its bytes any more.
#[derive(Debug)]
pub(crate) struct PageBuffer {
    buffer: Vec<u8>,
    n_bytes: usize,
    home: Arc<PageBuffers>,
}

impl PageBuffers {
    /// A buffer of so many bytes, with any content.
    pub(crate) fn take(self: &Arc<Self>, n_bytes: usize) -> PageBuffer {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if buffer.len() < n_bytes {
            buffer.resize(n_bytes, 0);
        }
        PageBuffer { buffer, n_bytes, home: Arc::clone(self) }
    }
}

impl PageBuffer {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.n_bytes]
    }
}

impl AsRef<[u8]> for PageBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.n_bytes]
    }
}

impl Drop for PageBuffer {
    fn drop(&mut self) {
        let mut waiting = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING && self.buffer.len() <= MAX_BYTES {
            waiting.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_needs_it() {
        let buffers = Arc::new(PageBuffers::default());
        let mut first = buffers.take(3);
        first.bytes_mut().copy_from_slice(b"abc");
        let kept = bytes::Bytes::from_owner(first);
        assert!(buffers.0.lock().unwrap().is_empty());
        assert_eq!(buffers.take(2).as_ref(), [0; 2]);
        let shared = kept.slice(1..);
        drop(kept);
        assert_eq!((shared.as_ref(), buffers.0.lock().unwrap().len()), (&b"bc"[..], 1));
        drop(shared);
        assert_eq!(buffers.0.lock().unwrap().len(), 2);
        assert_eq!(buffers.take(5).as_ref().len(), 5);
        drop(buffers.take(MAX_BYTES + 1));
        assert!(buffers.0.lock().unwrap().iter().all(|buffer| buffer.len() <= MAX_BYTES));
    }
}
