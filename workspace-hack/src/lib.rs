//! Nothing to call: this crate only names features, see its `Cargo.toml`.
