//! The steps of a chain, and the aggregates that end it.

use std::marker::PhantomData;

use super::{Calendar, Length, List, Num, Out, Text};
use crate::event::{Event, Table};
use crate::metric::Metric;
use metricc_ir::user_defined::Monoid;

macro_rules! calendar_units {
    ($($name:ident $what:literal;)*) => {
        $(#[doc = $what]
        #[doc = " of a zone's calendar, by its IANA name; for closures and steps of `#[metric]` alone."]
        pub fn $name(_: Text) -> Calendar {
            Calendar
        })*
    };
}

calendar_units! {
    day "The days";
    week "The weeks, from Monday on,";
    month "The months";
    quarter "The quarters";
    year "The years";
}

/// The weeks of a zone's calendar from another day on, such as `"sunday"`; for steps of `#[metric]` alone.
pub fn week_from(_: Text, _: Text) -> Calendar {
    Calendar
}

/// The rows of a group, of which aggregates are taken.
#[derive(Debug)]
pub struct Group<R>(PhantomData<R>);

impl<R> Clone for Group<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Group<R> {}

/// The events of a source, in the body of a `#[metric]` function: rows `R`, at first one per event.
#[derive(Debug)]
pub struct Events<E: Event, R = <E as Event>::Row>(PhantomData<(E, R)>);

impl<R> Group<R> {
    /// Keeps the rows for which the condition is true.
    pub fn filter(self, _: impl FnOnce(R) -> bool) -> Self {
        self
    }
}

impl<E: Event, R> Events<E, R> {
    fn shaped<S>(self) -> Events<E, S> {
        Events(PhantomData)
    }

    /// Keeps the rows for which the condition is true.
    pub fn filter(self, _: impl FnOnce(R) -> bool) -> Self {
        self
    }

    /// Rows of another shape: a value, or a tuple of values.
    pub fn map<S>(self, _: impl FnOnce(R) -> S) -> Events<E, S> {
        self.shaped()
    }

    /// One row per element of a list: closures after it are given `(row, element)`.
    pub fn flat_map<T>(self, _: impl FnOnce(R) -> List<T>) -> Events<E, (R, T)> {
        self.shaped()
    }

    /// The row of a table that has these keys: closures after it are given `(row, found)`. Its columns are
    /// none where no row has the keys.
    pub fn lookup<T: Table, K>(self, _: impl FnOnce(R) -> K) -> Events<E, (R, T::Row)> {
        self.shaped()
    }

    /// One group per key: a field, a tuple of fields, or `Key { name: … }`.
    pub fn key_by<K>(self, _: impl FnOnce(R) -> K) -> Self {
        self
    }

    /// One group per window: a duration, such as `1h`, or a calendar's `day("Asia/Kolkata")`.
    pub fn every<W>(self, _: W) -> Self {
        self
    }

    /// One group per sliding window: its length and its step.
    pub fn over_last(self, _: Length, _: Length) -> Self {
        self
    }

    /// One group per session: events of a key with no longer pause between them.
    pub fn session(self, _: Length) -> Self {
        self
    }

    /// A label for the value.
    pub fn unit(self, _: Text) -> Self {
        self
    }

    /// Several aggregates, or an expression over them: `|e| Value { n: e.count(), … }`.
    pub fn aggregate<V>(self, _: impl FnOnce(Group<R>) -> V) -> Metric {
        Metric::new()
    }
}

impl Metric {
    /// The relative error allowed: `0.01` is one percent. For a funnel, the time allowed for all steps, such
    /// as `1h`.
    pub fn within<W>(self, _: W) -> Self {
        self
    }

    /// A label for the value.
    pub fn unit(self, _: Text) -> Self {
        self
    }
}

macro_rules! aggregates {
    ($($name:ident<$($generic:ident),*>($($argument:ident: $kind:tt $value:ident),*) $what:literal;)*) => {
        impl<E: Event, R> Events<E, R> {
            $(#[doc = $what]
            pub fn $name<$($generic),*>(self $(, $argument: aggregates!(@ $kind R $value))*) -> Metric {
                $(let _ = $argument;)*
                Metric::new()
            })*
        }
        impl<R> Group<R> {
            $(#[doc = $what]
            pub fn $name<$($generic),*>(self $(, $argument: aggregates!(@ $kind R $value))*) -> Out {
                $(let _ = $argument;)*
                Out
            })*
        }
    };
    (@ row $row:ident $value:ident) => { impl FnOnce($row) -> $value };
    (@ list $row:ident $value:ident) => { impl FnOnce($row) -> List<$value> };
    (@ given $row:ident $value:ident) => { $value };
}

aggregates! {
    sum<V>(of: row V) "The sum.";
    mean<V>(of: row V) "The mean; none of nothing.";
    min<V>(of: row V) "The least; none of nothing.";
    max<V>(of: row V) "The greatest; none of nothing.";
    variance<V>(of: row V) "The variance of the sample.";
    stddev<V>(of: row V) "The standard deviation of the sample.";
    skewness<V>(of: row V) "The skewness of the sample.";
    kurtosis<V>(of: row V) "The excess kurtosis of the sample.";
    covariance<V, W>(of: row V, and: row W) "The covariance of the sample.";
    correlation<V, W>(of: row V, and: row W) "Pearson's correlation.";
    slope<V, W>(y: row V, x: row W) "The slope of the regression line of `y` over `x`.";
    intercept<V, W>(y: row V, x: row W) "The value of the regression line of `y` over `x` at zero.";
    any<V>(of: row V) "Whether it holds for a row.";
    all<V>(of: row V) "Whether it holds for all rows.";
    first<V>(of: row V) "The value of the earliest event.";
    last<V>(of: row V) "The value of the latest event.";
    arg_min<V, W>(of: row V, by: row W) "The value of the event with the least of another.";
    arg_max<V, W>(of: row V, by: row W) "The value of the event with the greatest of another.";
    distinct<V>(of: row V) "The number of distinct values: exact, or an estimate with `.within(0.01)`.";
    set<V>(of: row V) "The distinct values, in order.";
    union<V>(of: list V) "The distinct elements of lists, in order.";
    quantile<V>(of: row V, q: given Num) "A quantile: exact, or with `.within(0.01)`.";
    median<V>(of: row V) "The median: exact, or with `.within(0.01)`.";
    p50<V>(of: row V) "The median: exact, or with `.within(0.01)`.";
    p90<V>(of: row V) "The 0.9 quantile: exact, or with `.within(0.01)`.";
    p95<V>(of: row V) "The 0.95 quantile: exact, or with `.within(0.01)`.";
    p99<V>(of: row V) "The 0.99 quantile: exact, or with `.within(0.01)`.";
    p999<V>(of: row V) "The 0.999 quantile: exact, or with `.within(0.01)`.";
    histogram<V, W>(of: row V, edges: given W) "The number of rows below the first edge, from each to the next, from the last on.";
    top<V>(k: given Num, item: row V) "The items with the most rows, or the greatest sums with `.by_sum(|p| p.amount)`.";
    frequency<V, W>(of: row V, value: given W) "An estimate of the rows with a value, with `.within(0.01)` of all rows.";
    bits_or<V>(of: row V) "The bits that some row has.";
    bits_and<V>(of: row V) "The bits that every row has.";
    bits_xor<V>(of: row V) "The bits that an odd number of rows has.";
    funnel<V, W>(actor: row V, steps: row W) "How many actors did each step of `|p| [p.a == …, p.b == …]`, `.within(1h)` of their first.";
    retention<V, W>(actor: row V, period: row W, n_periods: given Num) "How many actors of each first period came back how many periods later.";
}

impl<E: Event, R> Events<E, R> {
    /// The number of rows.
    pub fn count(self) -> Metric {
        Metric::new()
    }
}

impl<E: Event, R> Events<E, R> {
    /// A user-defined aggregate, named in `#[metric(import(…))]`; a tuple is several arguments.
    pub fn user_defined<M: Monoid, V>(self, _: M, of: impl FnOnce(R) -> V) -> Metric {
        let _ = of;
        Metric::new()
    }
}

impl<R> Group<R> {
    /// A user-defined aggregate, named in `#[metric(import(…))]`; a tuple is several arguments.
    pub fn user_defined<M: Monoid, V>(self, _: M, of: impl FnOnce(R) -> V) -> Out {
        let _ = of;
        Out
    }
}

impl<R> Group<R> {
    /// The number of rows.
    pub fn count(self) -> Out {
        Out
    }
}
