//! The window of an event: the bucket of event time in which it lies.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use metricc_ir::calendar::{MICROS_PER_DAY, WindowCut};
use metricc_ir::{Kind, Window};

use super::operand::{Operand, Result, unexpected};
use super::{data_type, time};
use crate::CompileError;

/// Cuts event time into windows, `[start, end)`: an event exactly at an end belongs to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRule {
    cut: WindowCut,
}

impl WindowRule {
    /// The rule for a window; of sliding windows that for their panes. Fails for [`Window::AllTime`] and
    /// [`Window::Session`], which have no such windows, and for a zone or a width that was not checked.
    pub fn new(window: &Window) -> std::result::Result<Self, CompileError> {
        if let Window::AllTime | Window::Session { .. } = window {
            return Err(CompileError::form("window", "events lie in no window before they are grouped"));
        }
        let cut = match window {
            Window::Calendar(unit, calendar) => WindowCut::Calendar(time::bucket_rule(*unit, calendar)?),
            _ => WindowCut::new(window)
                .ok_or_else(|| CompileError::form("window", "its width is not positive"))?,
        };
        Ok(WindowRule { cut })
    }

    /// Start of each event's window, Timestamp(µs). The event time is a Timestamp(µs), or a Date32:
    /// its midnight in UTC for tumbling windows, for calendar windows the first instant of that local
    /// date. Fails for other types. Total over all instants: at the ends of `i64` starts saturate.
    pub fn starts(&self, event_time: &ArrayRef) -> std::result::Result<ArrayRef, CompileError> {
        self.starts_of(event_time).map_err(|error| CompileError::engine("window", error))
    }

    /// The first instant (µs) after the window that starts at `start_us`; saturates at `i64::MAX`.
    pub fn end_of(&self, start_us: i64) -> i64 {
        self.cut.end_of(start_us)
    }

    /// Start of the window that holds an instant (µs).
    pub fn start_of(&self, instant_us: i64) -> i64 {
        self.cut.start_of(instant_us)
    }

    fn starts_of(&self, event_time: &ArrayRef) -> Result<ArrayRef> {
        let n_rows = event_time.len();
        let instants = match event_time.data_type() {
            DataType::Date32 => self.instants_of_dates(event_time)?,
            data_type if *data_type == self::data_type(&Kind::Timestamp) => event_time.clone(),
            _ => return Err(unexpected(event_time, "a timestamp or a date")),
        };
        let operand = Operand::column(instants);
        match &self.cut {
            WindowCut::Tumbling(width) | WindowCut::Sliding { step: width, .. } => {
                time::floor_column(&operand, n_rows, *width)
            }
            WindowCut::Calendar(rule) => time::bucket_starts(&operand, n_rows, rule),
        }
    }

    /// The first instant of each date.
    fn instants_of_dates(&self, dates: &ArrayRef) -> Result<ArrayRef> {
        let operand = Operand::column(dates.clone());
        let mut last = (0_i32, self.instant_of_date(0));
        time::each::<Date32Type, TimestampMicrosecondType>(
            &operand,
            dates.len(),
            &data_type(&Kind::Timestamp),
            |days| {
                if days != last.0 {
                    last = (days, self.instant_of_date(days));
                }
                last.1
            },
        )
    }

    fn instant_of_date(&self, days: i32) -> i64 {
        match &self.cut {
            WindowCut::Tumbling(_) | WindowCut::Sliding { .. } => {
                i64::from(days).saturating_mul(MICROS_PER_DAY)
            }
            WindowCut::Calendar(rule) => rule.zone().first_instant_of_date(days.into()),
        }
    }
}
