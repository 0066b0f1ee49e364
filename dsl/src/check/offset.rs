//! `offset 7 day`: how many windows back a metric is read.

use super::checker::Checker;
use crate::ast::{Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::expression_text;
use metricc_ir::expression_text::calendar_unit;
use metricc_ir::{CalendarUnit, Window};

/// Most windows that an offset looks back.
const MOST_WINDOWS: i64 = 1_000_000;

/// How far an operand looks back, as it was written.
#[derive(Clone, Copy)]
pub(super) struct Back<'e> {
    pub(super) length: &'e Expr,
    pub(super) unit: Option<&'e Name>,
    pub(super) span: Span,
}

impl Checker<'_> {
    /// An offset as a number of windows.
    pub(super) fn windows_back(&mut self, back: Back<'_>, window: &Window) -> Option<i64> {
        let problem = |message: String| Diagnostic::new(Code::Offset, message, back.span, "");
        let text = expression_text::window(window);
        let n_windows = match (window, &back.length.kind, back.unit) {
            (_, ExprKind::Poisoned, _) => return None,
            (Window::AllTime | Window::Session { .. }, ..) => {
                self.report(problem("there is no window to look back to".to_owned()).help(format!(
                    "the windows are `{text}`: use `every` in the metrics that this is made of"
                )));
                return None;
            }
            (Window::Calendar(unit, _), ExprKind::Number(number), Some(word)) if !number.point => {
                let factor = calendar_unit(&word.text).and_then(|of| units_in(of, *unit));
                factor.and_then(|factor| i64::try_from(number.digits).ok()?.checked_mul(factor))
            }
            (
                Window::Tumbling(step) | Window::Sliding { step, .. },
                ExprKind::Duration { micros, .. },
                None,
            ) => (micros % step == 0).then_some(micros / step),
            _ => None,
        };
        match n_windows {
            Some(1..=MOST_WINDOWS) => n_windows,
            Some(0) => {
                self.report(problem("an offset of nothing".to_owned()).help("leave it out"));
                None
            }
            _ => {
                let help = match window {
                    Window::Calendar(unit, _) => {
                        let unit = expression_text::unit_name(*unit);
                        format!("look back by units of the calendar, such as `offset 7 {unit}`")
                    }
                    Window::Sliding { step, .. } | Window::Tumbling(step) => {
                        format!("look back by a multiple of `{}`", expression_text::duration(*step))
                    }
                    _ => String::new(),
                };
                self.report(problem(format!("the offset is no number of windows of `{text}`")).help(help));
                None
            }
        }
    }
}

/// How many windows of a unit one of another, or the same, has; none if that differs.
pub(super) fn units_in(of: CalendarUnit, window: CalendarUnit) -> Option<i64> {
    Some(match (of, window) {
        (of, window) if of == window => 1,
        (CalendarUnit::Week, CalendarUnit::Day) => 7,
        (CalendarUnit::Quarter, CalendarUnit::Month) => 3,
        (CalendarUnit::Year, CalendarUnit::Month) => 12,
        (CalendarUnit::Year, CalendarUnit::Quarter) => 4,
        _ => return None,
    })
}
