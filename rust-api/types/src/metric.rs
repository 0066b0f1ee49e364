//! Metrics with types.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::row;
use metricc_client::decode::DecodeError;
use metricc_ir::user_defined::Imports;

/// A metric, with the Rust types of what it is about. Generated: by `#[metric]`, by `metrics!`, or in a serving stub.
pub trait Definition: 'static {
    /// The events that it reads.
    type Event;
    /// One value of each key.
    type Key: DeserializeOwned + Clone + PartialEq + fmt::Debug;
    /// [`Window`](crate::Window), or `()` for a metric of all time.
    type Window: DeserializeOwned + Clone + PartialEq + fmt::Debug;
    /// What is presented.
    type Value: Clone + PartialEq + fmt::Debug;
    /// Its name in the language.
    const NAME: &'static str;
    /// The text of the package that defines it.
    const PACKAGE: &'static str;
    /// Names and texts of the files that the package uses.
    const FILES: &'static [(&'static str, &'static str)] = &[];

    /// Hash of what it means: of the metric in a serving stub, of its typed definition where macros made it.
    const HASH: Option<&'static str>;

    /// The functions and aggregates of the crate that it uses.
    fn imports() -> Imports {
        Imports::new()
    }

    /// Reads a presented value.
    fn value(json: &str) -> Result<Self::Value, DecodeError>;
}

/// The handle of a metric: what it is, not what it gives. It costs nothing to copy.
pub struct Metric<D = row::Checked>(PhantomData<fn() -> D>);

impl<D> Metric<D> {
    /// The handle.
    pub const fn new() -> Self {
        Metric(PhantomData)
    }
}

impl Metric {
    /// What a metric with errors gives, so that its callers are not errors, too. Such a crate is never run.
    #[doc(hidden)]
    pub const fn broken() -> Self {
        Metric::new()
    }
}

impl<D: Definition> Metric<D> {
    /// The metric's name in the language.
    pub fn name(self) -> &'static str {
        D::NAME
    }
}

impl<D> Default for Metric<D> {
    fn default() -> Self {
        Metric::new()
    }
}

impl<D> Clone for Metric<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Metric<D> {}

impl<D: Definition> fmt::Debug for Metric<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metric").field(&D::NAME).finish()
    }
}

/// The value of one key in one window.
pub struct Row<D: Definition> {
    /// The keys.
    pub key: D::Key,
    /// The window.
    pub window: D::Window,
    /// The value.
    pub value: D::Value,
}

#[derive(Deserialize)]
struct RawRow<'a, K, W> {
    key: K,
    window: W,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl<D: Definition> Row<D> {
    /// Reads a row as serving writes it: `{"metric": …, "key": {…}, "window": {…}, "value": …}`.
    pub fn from_json(json: &str) -> Result<Self, DecodeError> {
        let of_metric = |error: DecodeError| DecodeError { metric: D::NAME.to_owned(), ..error };
        let raw: RawRow<'_, D::Key, D::Window> =
            serde_json::from_str(json).map_err(|error| DecodeError::new(D::NAME, json, error))?;
        let value = D::value(raw.value.get()).map_err(of_metric)?;
        Ok(Row { key: raw.key, window: raw.window, value })
    }
}

impl<D: Definition> Clone for Row<D> {
    fn clone(&self) -> Self {
        Row { key: self.key.clone(), window: self.window.clone(), value: self.value.clone() }
    }
}

impl<D: Definition> PartialEq for Row<D> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.window == other.window && self.value == other.value
    }
}

impl<D: Definition> fmt::Debug for Row<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = f.debug_struct("Row");
        row.field("key", &self.key).field("window", &self.window).field("value", &self.value).finish()
    }
}
