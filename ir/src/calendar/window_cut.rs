//! How windows divide event time: one rule for the engines, serving and expectations of tests.

use super::BucketRule;
use crate::Window;

/// Cuts event time into windows, `[start, end)`; of sliding windows into their panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowCut {
    /// Multiples of a width in µs since the epoch; above zero.
    Tumbling(i64),
    /// Panes of `step` µs; a window that starts with one is `length` µs long. Both are above zero.
    Sliding {
        /// Length of the window.
        length: i64,
        /// Length of a pane.
        step: i64,
    },
    /// Buckets of a calendar.
    Calendar(BucketRule),
}

/// The greatest multiple of the width that is not after the instant; saturates at `i64::MIN`.
pub fn floor_to(instant_us: i64, width_us: i64) -> i64 {
    instant_us.saturating_sub(instant_us.rem_euclid(width_us))
}

/// [`floor_to`] of many instants, by a multiplication instead of a division.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    width_us: i64,
    /// 2⁶⁴ by the width, rounded down.
    reciprocal: u64,
    /// A multiple of the width that makes near instants positive; zero if there is none.
    bias: i64,
}

impl Floor {
    /// Instants nearer to the epoch than this are near: 2⁶¹ µs are 73,000 years.
    const NEAR: i64 = 1 << 61;

    /// To multiples of a width, which is above zero.
    pub fn new(width_us: i64) -> Self {
        let is_usual = (2..=Self::NEAR).contains(&width_us);
        let reciprocal = if is_usual { ((1_u128 << 64) / width_us.unsigned_abs() as u128) as u64 } else { 0 };
        let bias = if is_usual { (Self::NEAR / width_us + 1) * width_us } else { 0 };
        Floor { width_us, reciprocal, bias }
    }

    /// The greatest multiple of the width that is not after the instant; saturates at `i64::MIN`.
    #[inline]
    pub fn of(&self, instant_us: i64) -> i64 {
        if self.bias == 0 || !(-Self::NEAR..Self::NEAR).contains(&instant_us) {
            return floor_to(instant_us, self.width_us);
        }
        let (width, above) =
            (self.width_us.cast_unsigned(), instant_us.wrapping_add(self.bias).cast_unsigned());
        // Below 2⁶³ times the reciprocal, by 2⁶⁴, is the quotient or one less.
        let quotient = ((u128::from(above) * u128::from(self.reciprocal)) >> 64) as u64;
        let rest = above.wrapping_sub(quotient.wrapping_mul(width));
        let rest = if rest >= width { rest.wrapping_sub(width) } else { rest };
        instant_us.wrapping_sub(rest.cast_signed())
    }
}

impl WindowCut {
    /// The cut of a window; none for windows that cut nothing, and for a zone or a width that was not
    /// checked.
    pub fn new(window: &Window) -> Option<Self> {
        match *window {
            Window::AllTime | Window::Session { .. } => None,
            Window::Tumbling(width) => (width > 0).then_some(WindowCut::Tumbling(width)),
            Window::Sliding { length, step } => {
                (length > 0 && step > 0).then_some(WindowCut::Sliding { length, step })
            }
            Window::Calendar(unit, ref calendar) => BucketRule::new(unit, calendar).map(WindowCut::Calendar),
        }
    }

    /// Start of the window that holds an instant (µs); of sliding windows, of the pane.
    pub fn start_of(&self, instant_us: i64) -> i64 {
        match self {
            WindowCut::Tumbling(width) | WindowCut::Sliding { step: width, .. } => {
                floor_to(instant_us, *width)
            }
            WindowCut::Calendar(rule) => rule.bucket_at(instant_us).start_us,
        }
    }

    /// Start of the first window that starts at an instant (µs) or later, of sliding windows of the pane;
    /// saturates at `i64::MAX`.
    pub fn next_start(&self, instant_us: i64) -> i64 {
        let start = self.start_of(instant_us);
        match self {
            _ if start == instant_us => start,
            WindowCut::Tumbling(step) | WindowCut::Sliding { step, .. } => start.saturating_add(*step),
            WindowCut::Calendar(rule) => rule.bucket_at(start).end_us,
        }
    }

    /// The first instant (µs) after the window that starts at `start_us`; saturates at `i64::MAX`.
    pub fn end_of(&self, start_us: i64) -> i64 {
        match self {
            WindowCut::Tumbling(length) | WindowCut::Sliding { length, .. } => {
                start_us.saturating_add(*length)
            }
            WindowCut::Calendar(rule) => rule.bucket_at(start_us).end_us,
        }
    }

    /// Start of the window that ends at an instant (µs); none if none does.
    pub fn start_before(&self, end_us: i64) -> Option<i64> {
        let start = match self {
            WindowCut::Tumbling(length) | WindowCut::Sliding { length, .. } => end_us.saturating_sub(*length),
            WindowCut::Calendar(rule) => rule.bucket_at(end_us.saturating_sub(1)).start_us,
        };
        (self.start_of(start) == start && self.end_of(start) == end_us).then_some(start)
    }
}
