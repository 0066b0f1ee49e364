//! The catalogue of functions: one row per aggregate and one per scalar function, and nothing about them
//! elsewhere.
//!
//! Everything that knows a function by its name reads its row: the checker interprets [`Param`]s, messages
//! take usage and aliases from it, [`AggregateOp::is_idempotent`] and the monoids' laws its `idempotent`, the
//! book and the Rust API its doc. Arithmetic is not here: an aggregate's is a monoid of the crate `algebra`,
//! a scalar function's a kernel of the compiler.

mod aggregates;
mod argument_sorts;
mod parameters;
mod result_types;
mod scalars;
mod unknown_names;

use std::mem::{Discriminant, discriminant};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

pub use aggregates::AGGREGATES;
pub use argument_sorts::Sort;
pub use parameters::{Param, Parameters, Width};
pub use result_types::{Gives, Number, Presents};
pub use scalars::SCALARS;
pub use unknown_names::{
    FOREIGN, ForeignFunction, UNLAWFUL, Unlawful, instead, meant, reads_the_clock, unlawful,
};

use crate::{AggregateOp, Func};

/// An aggregate of the language.
#[derive(Debug)]
pub struct AggregateSpec {
    /// Name in the language.
    pub name: &'static str,
    /// Its names in SQL, pandas, PromQL and others: a message that meets one of them suggests this aggregate.
    pub aliases: &'static [&'static str],
    /// How it is written, for messages and the book.
    pub usage: &'static str,
    /// What it computes, in one sentence.
    pub doc: &'static str,
    /// What it takes, in order; parameters that are given by name come last.
    pub params: &'static [Param],
    /// The type of its result.
    pub presents: Presents,
    /// The result for a group without rows.
    pub empty: &'static str,
    /// Whether a second copy of an event changes nothing.
    pub idempotent: bool,
    /// What it reads of a row beside its arguments.
    pub reads: Reads,
    /// The operation with these parameters.
    pub op: fn(&Parameters) -> AggregateOp,
}

/// What an aggregate reads of a row beside its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Nothing.
    Nothing,
    /// The event time, after its first argument.
    Time,
    /// The event time and the position in the log, after all of its arguments.
    TimeAndPosition,
}

/// A scalar function of the language. Operators and forms such as `if` are not functions: the grammar has
/// them.
#[derive(Debug)]
pub struct ScalarSpec {
    /// Name in the language.
    pub name: &'static str,
    /// What other languages call it.
    pub aliases: &'static [&'static str],
    /// How it is written, for messages and the book.
    pub usage: &'static str,
    /// What it computes, in one sentence.
    pub doc: &'static str,
    /// What it takes, in order; the last one is repeated up to the greatest number of arguments.
    pub params: &'static [Param],
    /// How many arguments it takes.
    pub n_arguments: RangeInclusive<usize>,
    /// The type of its result.
    pub gives: Gives,
    /// Whether `in CALENDAR` may follow it.
    pub takes_calendar: bool,
    /// The function with these parameters.
    pub func: fn(&Parameters) -> Func,
}

/// The aggregate of a name.
pub fn aggregate(name: &str) -> Option<&'static AggregateSpec> {
    AGGREGATES.iter().find(|spec| spec.name == name)
}

/// The scalar function of a name.
pub fn scalar(name: &str) -> Option<&'static ScalarSpec> {
    SCALARS.iter().find(|spec| spec.name == name)
}

/// Whether `f(x) in CALENDAR` has a meaning.
pub fn takes_calendar(function: &str) -> bool {
    scalar(function).is_some_and(|spec| spec.takes_calendar)
}

/// Whether an argument of a function is a width: a duration, or a unit of a calendar.
pub fn is_width(function: &str, place: usize) -> bool {
    scalar(function).is_some_and(|spec| spec.params.get(place) == Some(&Param::Width))
}

/// Whether a call is one of an aggregate. `min` and `max` are scalar functions where they have several
/// arguments.
pub fn is_aggregate(name: &str, n_arguments: usize) -> bool {
    let is_scalar = |spec: &ScalarSpec| n_arguments >= *spec.n_arguments.start();
    aggregate(name).is_some() && !scalar(name).is_some_and(is_scalar)
}

/// Names of all functions, scalar ones first, each once.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = SCALARS.iter().map(|spec| spec.name).collect();
    names.extend(AGGREGATES.iter().map(|spec| spec.name).filter(|name| scalar(name).is_none()));
    names
}

impl AggregateSpec {
    /// The parameter that may be given by name, such as `within:`; the last one.
    pub fn named(&self) -> Option<&'static Param> {
        self.params.last().filter(|param| param.name().is_some())
    }
}

/// Operations, each with the first row that makes it; with an error bound, or of an `int128`, an operation
/// may be another one.
static BY_OPERATION: LazyLock<Vec<(Discriminant<AggregateOp>, &AggregateSpec)>> = LazyLock::new(|| {
    let exact = Parameters::default();
    let estimated = Parameters { error_ppm: Some(1), ..Parameters::default() };
    let wide = Parameters { is_wide: true, ..Parameters::default() };
    let made = |spec: &'static AggregateSpec| {
        [&exact, &estimated, &wide].map(|parameters| (discriminant(&(spec.op)(parameters)), spec))
    };
    AGGREGATES.iter().flat_map(made).collect()
});

impl AggregateOp {
    /// Its row; `None` for a user-defined aggregate.
    pub fn spec(&self) -> Option<&'static AggregateSpec> {
        BY_OPERATION.iter().find(|(made, _)| *made == discriminant(self)).map(|(_, spec)| *spec)
    }

    /// Its name in the language.
    pub fn name(&self) -> &str {
        match self {
            AggregateOp::UserDefined(import) => &import.name,
            op => op.spec().map_or("aggregate", |spec| spec.name),
        }
    }

    /// What it reads of a row beside its arguments.
    pub fn reads(&self) -> Reads {
        self.spec().map_or(Reads::Nothing, |spec| spec.reads)
    }

    /// Whether a second copy of an event changes nothing.
    pub fn is_idempotent(&self) -> bool {
        match self {
            AggregateOp::UserDefined(import) => import.idempotent,
            op => op.spec().is_some_and(|spec| spec.idempotent),
        }
    }
}

impl Func {
    /// Its row; `None` for operators and other operations that are not functions of the language.
    pub fn spec(&self) -> Option<&'static ScalarSpec> {
        SCALARS.iter().find(|spec| match (self, (spec.func)(&Parameters::default())) {
            (Func::Part(part, _), Func::Part(made, _)) => *part == made,
            (func, made) => discriminant(func) == discriminant(&made),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_means_one_thing() {
        let mut known = std::collections::BTreeSet::new();
        for name in names() {
            assert!(known.insert(name), "{name}");
        }
        let aliases = AGGREGATES.iter().flat_map(|spec| spec.aliases.iter().map(|alias| (*alias, spec.name)));
        let aliases: Vec<_> = aliases
            .chain(SCALARS.iter().flat_map(|spec| spec.aliases.iter().map(|alias| (*alias, spec.name))))
            .collect();
        for (alias, name) in aliases {
            assert!(known.insert(alias), "{alias} is an alias of {name} and something else");
            assert_eq!(meant(alias), [name]);
            assert!(unlawful(alias).is_none() && !reads_the_clock(alias), "{alias}");
        }
        let foreign =
            FOREIGN.iter().flat_map(|row| row.names).chain(UNLAWFUL.iter().flat_map(|row| row.names));
        for name in foreign {
            assert!(known.insert(name), "{name} means something else too");
            assert!(!reads_the_clock(name) && name.to_ascii_lowercase() == *name, "{name}");
        }
    }

    #[test]
    fn every_row_is_whole() {
        for (name, usage, doc) in AGGREGATES
            .iter()
            .map(|spec| (spec.name, spec.usage, spec.doc))
            .chain(SCALARS.iter().map(|spec| (spec.name, spec.usage, spec.doc)))
        {
            assert!(usage.starts_with(&format!("{name}(")), "{name}: {usage}");
            assert!(doc.ends_with('.') && doc.starts_with(char::is_uppercase), "{name}: {doc}");
        }
        for spec in AGGREGATES {
            let n_named = spec.params.iter().filter(|param| param.name().is_some()).count();
            let is_last = spec.params.last().is_some_and(|param| param.name().is_some());
            assert!(n_named == 0 || (n_named == 1 && is_last), "{}", spec.name);
        }
    }

    #[test]
    fn operations_and_functions_find_their_rows() {
        assert_eq!(AggregateOp::Quantile { q_ppb: 0, error_ppm: 1 }.name(), "quantile");
        assert_eq!(AggregateOp::ExactQuantile { q_ppb: 500_000_000 }.name(), "quantile");
        assert_eq!(AggregateOp::DistinctWithin { error_ppm: 1 }.name(), "distinct");
        for spec in SCALARS.iter().filter(|spec| !matches!(spec.gives, Gives::Cast(_))) {
            let func = (spec.func)(&Parameters::default());
            assert_eq!(func.spec().map(|spec| spec.name), Some(spec.name));
        }
    }
}
