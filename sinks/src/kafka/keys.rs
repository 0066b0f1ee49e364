//! Which keys a version has, at 16 bytes for each.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Keys by their hashes: of two keys with one hash, 128 bits of it, there is none.
#[derive(Debug, Default)]
pub(super) struct Keys(HashSet<(u64, u64)>);

impl Keys {
    pub(super) fn add(&mut self, key: &[u8]) {
        self.0.insert(hash(key));
    }

    /// Whether a key is not among them. It is afterwards.
    pub(super) fn is_other(&mut self, key: &[u8]) -> bool {
        self.0.insert(hash(key))
    }
}

fn hash(key: &[u8]) -> (u64, u64) {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, key).hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}
