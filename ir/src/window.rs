//! Windows, and the calendars that they follow.

use serde::Serialize;

use crate::calendar::MICROS_PER_DAY;

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

    /// The windows by which states are kept: those of the cut, or the panes of sliding windows.
    pub fn kept(&self) -> Window {
        match self.cut() {
            Window::Sliding { step, .. } => Window::Tumbling(step),
            cut => cut,
        }
    }

    /// About how long the windows are by which states are kept, µs: that of the fewest windows is the
    /// longest.
    pub fn typical_length(&self) -> i64 {
        match self.kept() {
            Window::Calendar(CalendarUnit::Day, _) => MICROS_PER_DAY,
            Window::Calendar(CalendarUnit::Week, _) => 7 * MICROS_PER_DAY,
            Window::Calendar(CalendarUnit::Month, _) => 30 * MICROS_PER_DAY,
            Window::Calendar(CalendarUnit::Quarter, _) => 91 * MICROS_PER_DAY,
            Window::Calendar(CalendarUnit::Year, _) => 365 * MICROS_PER_DAY,
            Window::Tumbling(width) => width,
            Window::Sliding { step, .. } => step,
            Window::AllTime | Window::Session { .. } => i64::MAX,
        }
    }

    /// Whether each window by which states are kept consists of whole ones of another metric, at any time
    /// and whatever the events are. False for the same windows.
    pub fn consists_of(&self, finer: &Window) -> bool {
        use CalendarUnit::{Day, Month, Quarter, Year};
        match (self.kept(), finer.kept()) {
            (Window::AllTime, finer) => finer.has_start(),
            (Window::Tumbling(width), Window::Tumbling(finer)) => {
                finer > 0 && width > finer && width % finer == 0
            }
            (Window::Calendar(_, calendar), Window::Tumbling(finer)) => {
                finer > 0 && calendar.zone == Calendar::default().zone && MICROS_PER_DAY % finer == 0
            }
            (Window::Calendar(unit, calendar), Window::Calendar(finer, of_finer)) => {
                let divides = match finer {
                    Day => unit != Day,
                    Month => matches!(unit, Quarter | Year),
                    Quarter => unit == Year,
                    _ => false,
                };
                divides && calendar.zone == of_finer.zone
            }
            _ => false,
        }
    }
}
