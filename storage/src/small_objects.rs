//! Small objects that were read: a log of thousands of them is opened and read without asking for each again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::object_file::Object;
use crate::pieces::SMALL;

/// Bytes that are kept in all.
const KEPT: usize = 64 << 20;

/// The path and the version of an object. One without a version is not kept: it may be another one.
type Key = (String, String);

/// The objects that are kept, the oldest ones first.
#[derive(Debug, Default)]
pub(crate) struct SmallObjects {
    kept: Mutex<(HashMap<Key, Bytes>, VecDeque<Key>, usize)>,
}

impl SmallObjects {
    fn key(object: &Object) -> Option<Key> {
        let is_small = object.n_bytes <= SMALL;
        Some((object.path.to_string(), object.tag.clone().filter(|_| is_small)?))
    }

    pub(crate) fn get(&self, object: &Object) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.get(&Self::key(object)?).cloned()
    }

    /// Keeps an object if these bytes are all of it.
    pub(crate) fn keep(&self, object: &Object, bytes: &Bytes) {
        let Some(key) = Self::key(object).filter(|_| bytes.len() as u64 == object.n_bytes) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (objects, order, n_bytes) = &mut *kept;
        if objects.insert(key.clone(), bytes.clone()).is_none() {
            order.push_back(key);
            *n_bytes += bytes.len();
        }
        while *n_bytes > KEPT {
            let Some(oldest) = order.pop_front() else { return };
            *n_bytes -= objects.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}
