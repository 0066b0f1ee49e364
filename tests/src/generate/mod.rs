//! Generators of random metrics (as text), random logs, and files with hostile records. A seed decides
//! everything.

mod column_tree;
pub mod files;
pub mod hostile;
mod json_tree;
pub mod logs;
pub mod metrics;
pub mod nested_sources;
pub mod parquet_files;
pub mod sources;
pub mod spelled;
mod value_texts;
mod values;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The random number generator: the same on every machine and in every version.
pub type Random = ChaCha8Rng;

/// A random number generator from a seed.
pub fn random(seed: u64) -> Random {
    Random::seed_from_u64(seed)
}
