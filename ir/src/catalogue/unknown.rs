//! Names that are no functions of the language, and what to say about them.

use super::{AGGREGATES, SCALARS, names};
use crate::suggest;

/// An aggregate that other systems have and for which no lawful state exists.
#[derive(Debug)]
pub struct Unlawful {
    names: &'static [&'static str],
    /// Why there is no such state.
    pub reason: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

const UNLAWFUL: [Unlawful; 3] = [
    Unlawful {
        names: &["decayed_sum", "exp_decay_sum", "ema", "ewma"],
        reason: "a weight that falls with age is relative to the latest event or to the time of reading: either \
                 the state would be rescaled, which rounds in another way in every order, or hold every event",
        help: "write `sum(x)` with `every 1h`, and weigh the hours where they are read: their sums are exact and merge",
    },
    Unlawful {
        names: &["array_agg", "collect_list", "list_agg"],
        reason: "a list in the order of arrival depends on how the log is cut and read",
        help: "write `set(x)` for the distinct values in order, or `top(10, x)` for the most frequent",
    },
    Unlawful {
        names: &["any_value"],
        reason: "which value comes first depends on how the log is cut and read",
        help: "write `first(x)` or `min(x)`",
    },
];

/// Functions of other languages that are operators here.
const OPERATORS: [(&str, &str); 2] = [("coalesce", "??"), ("ifnull", "??")];

/// Why an aggregate of this name cannot exist.
pub fn unlawful(name: &str) -> Option<&'static Unlawful> {
    UNLAWFUL.iter().find(|unlawful| unlawful.names.contains(&name))
}

/// Whether other languages call a function so that gives the time at which it runs.
pub fn reads_the_clock(name: &str) -> bool {
    matches!(name, "now" | "today" | "current_timestamp")
}

/// What was probably meant by an unknown name: what has it as an alias, or else a name that is spelled like it.
pub fn meant(name: &str) -> Option<&'static str> {
    let scalars = SCALARS.iter().map(|spec| (spec.aliases, spec.name));
    let aggregates = AGGREGATES.iter().map(|spec| (spec.aliases, spec.name));
    let has_alias = |aliases: &[&str]| aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name));
    let by_alias = scalars.chain(aggregates).find(|(aliases, _)| has_alias(aliases)).map(|(_, name)| name);
    let operator = OPERATORS.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(name));
    by_alias.or(operator.map(|(_, operator)| *operator)).or_else(|| suggest::nearest(name, names()))
}
