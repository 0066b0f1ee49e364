//! The steps of a chain, and the aggregates that end it.

use std::marker::PhantomData;

use crate::event::{Event, Table};
use crate::metric::Metric;
use crate::row::{Calendar, Length, List, Num, Out, Text};
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

impl Calendar {
    /// The same, of a calendar whose weeks start on another day than Monday, such as `"sunday"`: readers may
    /// roll its days up to weeks.
    pub fn weeks_from(self, _: Text) -> Calendar {
        self
    }
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
    count<>() "The number of rows.";
    sum<V>(of: row V) "The sum: exact, and of floats rounded once.";
    mean<V>(of: row V) "The arithmetic mean, rounded once.";
    min<V>(of: row V) "The least value.";
    max<V>(of: row V) "The greatest value.";
    variance<V>(of: row V) "The variance of the sample (n − 1), rounded once.";
    stddev<V>(of: row V) "The standard deviation of the sample (n − 1), rounded once.";
    skewness<V>(of: row V) "The skewness of the sample, adjusted for its size.";
    kurtosis<V>(of: row V)
        "The excess kurtosis of the sample, adjusted for its size: 0 for a normal distribution.";
    covariance<V, W>(of: row V, and: row W) "The covariance of the sample (n − 1).";
    correlation<V, W>(of: row V, and: row W) "Pearson's correlation coefficient.";
    slope<V, W>(y: row V, x: row W) "The slope of the least-squares line of y over x.";
    intercept<V, W>(y: row V, x: row W) "The value of the least-squares line of y over x at x = 0.";
    any<V>(of: row V) "Whether the condition holds for at least one row.";
    all<V>(of: row V) "Whether the condition holds for every row.";
    first<V>(of: row V) "The value of the earliest event.";
    last<V>(of: row V) "The value of the latest event.";
    arg_min<V, W>(of: row V, by: row W)
        "The value of the event with the least of another value, of the earliest among equal ones.";
    arg_max<V, W>(of: row V, by: row W)
        "The value of the event with the greatest of another value, of the latest among equal ones.";
    distinct<V>(of: row V)
        "The number of distinct values: exact, or a HyperLogLog estimate within a standard error. An \
         estimate is asked for with `.within(0.01)`.";
    set<V>(of: row V) "The distinct values, in ascending order.";
    union<V>(of: list V) "The distinct elements of all lists, in ascending order.";
    quantile<V>(of: row V, q: given Num)
        "The value of rank ⌊q·(n − 1)⌋: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    median<V>(of: row V)
        "The 0.5 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    p50<V>(of: row V)
        "The 0.5 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    p90<V>(of: row V)
        "The 0.9 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    p95<V>(of: row V)
        "The 0.95 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    p99<V>(of: row V)
        "The 0.99 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    p999<V>(of: row V)
        "The 0.999 quantile: exact, or within a relative error. An estimate is asked for with \
         `.within(0.01)`.";
    histogram<V, W>(of: row V, edges: given W)
        "The number of rows below the first edge, from each edge to the next, and from the last edge on.";
    top<V>(k: given Num, item: row V)
        "The items with the most rows, or with the greatest sums of a value: the greatest first, then by \
         item. `.by_sum(|p| p.amount)` ranks by sums.";
    frequency<V, W>(of: row V, value: given W)
        "An estimate of the number of rows with a value: never too low, and too high by at most a share \
         of all rows, but for a chance of 1 %. The share is given with `.within(0.01)`.";
    bits_or<V>(of: row V) "The bits that are set in at least one row.";
    bits_and<V>(of: row V) "The bits that are set in every row.";
    bits_xor<V>(of: row V) "The bits that are set in an odd number of rows.";
    funnel<V, W>(actor: row V, steps: row W)
        "How many actors did each step, in order, within a time from their first step. The steps are an \
         array, `|p| [p.a == …, p.b == …]`, the time is given with `.within(1h)`.";
    retention<V, W>(actor: row V, period: row W, n_periods: given Num)
        "By the first period of the actors: how many were active in it and in each of the following ones.";
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
