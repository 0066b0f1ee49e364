//! Windows, and the calendars that they follow.

use serde::Serialize;

/// An IANA time zone by its name in the bundled database; checked to exist.
pub type Zone = String;

/// A calendar: a zone, and the day on which weeks start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Calendar {
    /// IANA zone.
    pub zone: Zone,
    /// First day of the week, 1 (Monday) to 7 (Sunday).
    pub week_start: u8,
}

impl Default for Calendar {
    /// UTC, with weeks from Monday on.
    fn default() -> Self {
        Calendar { zone: "UTC".to_owned(), week_start: 1 }
    }
}

impl Calendar {
    /// The normal form for buckets of a unit that are not read in coarser ones: where weeks start says
    /// something of weeks alone.
    pub fn of(self, unit: CalendarUnit) -> Self {
        Calendar { week_start: if unit == CalendarUnit::Week { self.week_start } else { 1 }, ..self }
    }
}

/// Length of a calendar bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// Local day.
    Day,
    /// Local week.
    Week,
    /// Local month.
    Month,
    /// Local quarter.
    Quarter,
    /// Local year.
    Year,
}

/// The window of a metric: which bucket of event time an event lies in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// No `every`: one window for all time.
    AllTime,
    /// `every 5m`: [k·width, (k+1)·width) since the epoch, in µs; width > 0.
    Tumbling(i64),
    /// `every day in india`, with all that the calendar says: readers of days ask for its weeks.
    Calendar(CalendarUnit, Calendar),
    /// `over last 24h step 5m`: [k·step − length, k·step) since the epoch, in µs; step > 0, length a multiple
    /// of it. States are kept for panes of one step each.
    Sliding {
        /// Length of the window.
        length: i64,
        /// Distance from one window to the next, and length of a pane.
        step: i64,
    },
    /// `session gap 30m`: events that follow one another within the gap (µs, above zero); from the first of
    /// them until the gap after the last has passed.
    Session {
        /// The gap.
        gap: i64,
    },
}

impl Window {
    /// Whether groups are told apart by where their window starts; sessions are part of a group's state.
    pub fn has_start(&self) -> bool {
        !matches!(self, Window::AllTime | Window::Session { .. })
    }

    /// What divides event time, without what is only said to readers of coarser windows: where weeks start,
    /// unless the windows are weeks. States know nothing else of a calendar.
    pub fn cut(&self) -> Window {
        match self {
            Window::Calendar(unit, calendar) => Window::Calendar(*unit, calendar.clone().of(*unit)),
            window => window.clone(),
        }
    }

    /// Whether both have the same windows.
    pub fn is_cut_as(&self, other: &Window) -> bool {
        self.cut() == other.cut()
    }
}
