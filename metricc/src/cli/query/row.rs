//! A row of an answer, whose keys and values stand in the order in which the answer has them.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A row of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct QueryRow {
    pub(super) key: Members,
    /// The keys that are rolled up, if it is a total.
    #[serde(default)]
    pub(super) rolled_up: Vec<String>,
    pub(super) window: Value,
    value: Box<RawValue>,
    #[serde(default)]
    beside: Members,
}

/// The members of an object, in their order.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Members(pub(super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Object)
    }
}

impl QueryRow {
    pub(super) fn all(rows: &[Box<RawValue>]) -> serde_json::Result<Vec<Self>> {
        rows.iter().map(|row| serde_json::from_str(row.get())).collect()
    }

    /// Its value, or an object of its values.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(self.value.get()).unwrap_or_default()
    }

    /// Its values by their names; one without a name is called `unnamed`.
    pub(super) fn values(&self, unnamed: &str) -> Vec<(String, Value)> {
        let text = self.value.get();
        let own = match serde_json::from_str::<Members>(text) {
            Ok(Members(outputs)) => outputs,
            Err(_) => vec![(unnamed.to_owned(), self.value())],
        };
        own.into_iter().chain(self.beside.0.iter().cloned()).collect()
    }

    /// Window and keys by their names; `is_partial` adds whether the range cuts its window, and `has_totals`
    /// which keys are rolled up.
    pub(super) fn groups(&self, is_partial: bool, has_totals: bool) -> Vec<(String, Value)> {
        let mut cells = Vec::new();
        let mut put = |name: &str, value: Value| cells.push((name.to_owned(), value));
        if self.window.is_object() {
            put("window_start", self.window["start"].clone());
            put("window_end", self.window["end"].clone());
        }
        if is_partial {
            put("partial", json!(self.window["partial"] == true));
        }
        if has_totals {
            put(
                "rolled_up",
                if self.rolled_up.is_empty() { Value::Null } else { json!(self.rolled_up.join(",")) },
            );
        }
        self.key.0.iter().for_each(|(name, value)| put(name, value.clone()));
        cells
    }
}

/// Whether the range cuts the window of some row.
pub(super) fn has_partial<'a>(rows: impl IntoIterator<Item = &'a QueryRow>) -> bool {
    rows.into_iter().any(|row| row.window["partial"] == true)
}

/// Whether some row is a total.
pub(super) fn has_totals<'a>(rows: impl IntoIterator<Item = &'a QueryRow>) -> bool {
    rows.into_iter().any(|row| !row.rolled_up.is_empty())
}
