//! Units: labels of metrics that say what their values count, such as `EUR` or `percent`.
//!
//! What is added, subtracted, compared or chosen between has one unit; a product or a ratio has none that is
//! known. A value without a unit goes with any: numbers that are written out have none.

use super::checker::{Checker, Typed};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::Func;

impl Checker<'_> {
    /// The unit of a function's result; `Err` where its arguments have two, which is reported.
    pub(super) fn unit_of(&mut self, func: &Func, arguments: &[Typed]) -> Result<Option<String>, ()> {
        let alike = match func {
            Func::If => arguments.get(1..).unwrap_or_default(),
            Func::Eq | Func::Ne | Func::Lt | Func::Le | Func::Gt | Func::Ge | Func::In => arguments,
            Func::Add | Func::Sub | Func::Rem | Func::Least | Func::Greatest | Func::Coalesce => arguments,
            Func::Neg | Func::Abs | Func::Round(_) | Func::Floor | Func::Ceil | Func::Cast => arguments,
            _ => return Ok(None),
        };
        let mut known = alike.iter().filter_map(|typed| Some((typed.unit.as_ref()?, typed.span)));
        let Some((unit, first)) = known.next() else { return Ok(None) };
        if let Some((other, second)) = known.find(|(other, _)| *other != unit) {
            let message = format!("values in `{unit}` and in `{other}` do not go together");
            let diagnostic = Diagnostic::new(Code::Units, message, second, format!("in `{other}`"))
                .also(first, format!("in `{unit}`"))
                .help("convert one of them: a product with a number has no unit until it is given one");
            self.report(diagnostic);
            return Err(());
        }
        let is_whole = alike.iter().all(|typed| typed.unit.is_some() || typed.literal.is_some());
        let is_truth =
            matches!(func, Func::Eq | Func::Ne | Func::Lt | Func::Le | Func::Gt | Func::Ge | Func::In);
        Ok((is_whole && !is_truth).then(|| unit.clone()))
    }

    /// Reports a unit that a metric is given although its value has another.
    pub(super) fn given_unit(&mut self, typed: &Typed, given: Option<&(String, Span)>) {
        if let (Some(unit), Some((given, place))) = (&typed.unit, given)
            && unit != given
        {
            let message = format!("a value in `{unit}` is called one in `{given}`");
            self.report(
                Diagnostic::new(Code::Units, message, *place, "")
                    .also(typed.span, format!("in `{unit}`"))
                    .help("leave the unit out, or convert the value"),
            );
        }
    }
}
