//! Calendar arithmetic: the only place that knows how an instant relates to a local date.
//!
//! Windows, scalar functions, the decoder and the presentation all ask here, so no two of them can
//! disagree on where a day begins. Everything is integer arithmetic on µs since 1970-01-01T00:00Z
//! over a table of the zone's transitions; the table comes from the time zone database that is
//! compiled in, so neither the machine's zoneinfo nor the process's `TZ` can change an answer.
//!
//! Invariants:
//! - Every function is total over all of `i64`: at the far ends results saturate, nothing wraps or panics.
//! - Division floors, so instants before 1970 behave as those after it.
//! - A local date begins at the **first instant whose local date is that date or a later one**. This
//!   holds where midnight does not exist (São Paulo, 2018-11-04), where it exists twice, and where
//!   the date does not exist at all (Apia, 2011-12-30: its bucket is empty and is skipped).
//! - The buckets of one rule abut and cover all instants: every instant lies in exactly one.
//!
//! ```
//! use metricc_ir::calendar::{BucketRule, ZoneRules, instant_text};
//! use metricc_ir::{Calendar, CalendarUnit};
//!
//! let india = Calendar { zone: "Asia/Kolkata".into(), week_start: 1 };
//! let days = BucketRule::new(CalendarUnit::Day, &india).expect("a zone of the database");
//! let bucket = days.bucket_at(1_777_143_600_000_000); // 2026-04-25T19:00:00Z
//! assert_eq!(instant_text(bucket.start_us, Some(days.zone())), "2026-04-26T00:00:00+05:30");
//! assert_eq!(bucket.end_us - bucket.start_us, 86_400_000_000);
//! ```

mod bucket;
mod civil_dates;
mod rfc3339;
mod window_cut;
mod zone_offsets;

#[cfg(test)]
mod tests;

pub use bucket::{Bucket, BucketRule};
pub use civil_dates::{CivilDate, LocalTime};
pub use rfc3339::{date_text, instant_text};
pub use window_cut::{Floor, WindowCut, floor_to};
pub use zone_offsets::{OffsetSpan, ZoneRules, tzdb_version, zone_names};

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Seconds in a day without transitions.
pub const SECONDS_PER_DAY: i64 = 86_400;
/// Microseconds in a day without transitions.
pub const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
