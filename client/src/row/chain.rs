//! The steps of a chain, and the aggregates that end it.

use std::marker::PhantomData;

use super::{Calendar, Length, List, Num, Out, Text};
use crate::Event;
use crate::metric::Metric;

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
    /// Only the rows for which the condition holds.
    pub fn filter(self, _: impl FnOnce(R) -> bool) -> Self {
        self
    }
}

impl<E: Event, R> Events<E, R> {
    fn shaped<S>(self) -> Events<E, S> {
        Events(PhantomData)
    }

    /// Only the rows for which the condition holds.
    pub fn filter(self, _: impl FnOnce(R) -> bool) -> Self {
        self
    }

    /// Rows of another shape: a value, or a tuple of values.
    pub fn map<S>(self, _: impl FnOnce(R) -> S) -> Events<E, S> {
        self.shaped()
    }

    /// One row per element of a list: closures behind it are given `(row, element)`.
    pub fn flat_map<T>(self, _: impl FnOnce(R) -> List<T>) -> Events<E, (R, T)> {
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
    /// Allows an error of this share: `0.01` is one percent.
    pub fn within(self, _: Num) -> Self {
        self
    }

    /// A label for the value.
    pub fn unit(self, _: Text) -> Self {
        self
    }
}

macro_rules! aggregates {
    ($($name:ident($($argument:ident: $kind:tt),*) $what:literal;)*) => {
        impl<E: Event, R> Events<E, R> {
            $(#[doc = $what]
            pub fn $name<V>(self $(, $argument: aggregates!(@ $kind R V))*) -> Metric {
                $(let _ = $argument;)*
                Metric::new()
            })*
        }
        impl<R> Group<R> {
            $(#[doc = $what]
            pub fn $name<V>(self $(, $argument: aggregates!(@ $kind R V))*) -> Out {
                $(let _ = $argument;)*
                Out
            })*
        }
    };
    (@ closure $row:ident $value:ident) => { impl FnOnce($row) -> $value };
    (@ number $row:ident $value:ident) => { Num };
}

aggregates! {
    sum(of: closure) "The sum.";
    mean(of: closure) "The mean; none of nothing.";
    min(of: closure) "The least; none of nothing.";
    max(of: closure) "The greatest; none of nothing.";
    variance(of: closure) "The variance of the sample.";
    stddev(of: closure) "The standard deviation of the sample.";
    any(of: closure) "Whether it holds for a row.";
    all(of: closure) "Whether it holds for all rows.";
    distinct(of: closure) "The number of distinct values: exact, or an estimate with `.within(0.01)`.";
    quantile(of: closure, q: number) "A quantile, with `.within(0.01)`.";
    median(of: closure) "The median, with `.within(0.01)`.";
    p50(of: closure) "The median, with `.within(0.01)`.";
    p90(of: closure) "The 0.9 quantile, with `.within(0.01)`.";
    p95(of: closure) "The 0.95 quantile, with `.within(0.01)`.";
    p99(of: closure) "The 0.99 quantile, with `.within(0.01)`.";
    p999(of: closure) "The 0.999 quantile, with `.within(0.01)`.";
}

impl<E: Event, R> Events<E, R> {
    /// The number of rows.
    pub fn count(self) -> Metric {
        Metric::new()
    }
}

impl<R> Group<R> {
    /// The number of rows.
    pub fn count(self) -> Out {
        Out
    }
}
