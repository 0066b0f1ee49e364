//! The language's types for Rust's type checker.
//!
//! The body of a `#[metric]` function is compiled for the sake of completion, rename and types, and never run. In its
//! closures a field of an event has one of these types: they know the functions of the language, hold nothing, and
//! compute nothing. They are more generous than the language: what it refuses, `metricc` says itself, on the token.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use crate::Event;
use crate::metric::Metric;

/// The definition of a metric that is only being type-checked.
#[derive(Debug, Clone, Copy)]
pub enum Checked {}

/// `int`, `decimal` or `float`.
#[derive(Debug, Clone, Copy)]
pub struct Num;
/// `string`.
#[derive(Debug, Clone, Copy)]
pub struct Text;
/// `timestamp`.
#[derive(Debug, Clone, Copy)]
pub struct Instant;
/// `date`.
#[derive(Debug, Clone, Copy)]
pub struct Day;
/// `duration`; literals are written `5m`, `1h`.
#[derive(Debug, Clone, Copy)]
pub struct Length;
/// `enum(…)`.
#[derive(Debug)]
pub struct Choice<E>(PhantomData<E>);
/// `list<T>`.
#[derive(Debug)]
pub struct List<T>(PhantomData<T>);
/// `T?`.
#[derive(Debug)]
pub struct Opt<T>(PhantomData<T>);
/// A unit of a calendar.
#[derive(Debug, Clone, Copy)]
pub struct Calendar;
/// A value over the rows of a group.
#[derive(Debug, Clone, Copy)]
pub struct Out;

macro_rules! copies {
    ($($ty:ident)*) => {
        $(impl<T> Clone for $ty<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T> Copy for $ty<T> {})*
    };
}
copies!(Choice List Opt Group);

macro_rules! operators {
    ($($left:ty, $right:ty => $out:expr, $result:ty: $($operator:ident $method:ident),*;)*) => {
        $($(impl $operator<$right> for $left {
            type Output = $result;
            fn $method(self, _: $right) -> $result {
                $out
            }
        })*)*
    };
}

operators! {
    Num, Num => Num, Num: Add add, Sub sub, Mul mul, Div div, Rem rem;
    Out, Out => Out, Out: Add add, Sub sub, Mul mul, Div div;
    Out, Num => Out, Out: Add add, Sub sub, Mul mul, Div div;
    Num, Out => Out, Out: Add add, Sub sub, Mul mul, Div div;
    Instant, Length => Instant, Instant: Add add, Sub sub;
    Instant, Instant => Length, Length: Sub sub;
    Length, Length => Length, Length: Add add, Sub sub, Rem rem;
    Length, Num => Length, Length: Mul mul, Div div;
    Num, Length => Length, Length: Mul mul;
    Day, Day => Length, Length: Sub sub;
    Day, Length => Instant, Instant: Add add, Sub sub;
}

impl Neg for Num {
    type Output = Num;
    fn neg(self) -> Num {
        Num
    }
}

impl Neg for Out {
    type Output = Out;
    fn neg(self) -> Out {
        Out
    }
}

impl Neg for Length {
    type Output = Length;
    fn neg(self) -> Length {
        Length
    }
}

macro_rules! ordered {
    ($($left:ty, $right:ty;)*) => {
        $(impl PartialEq<$right> for $left {
            fn eq(&self, _: &$right) -> bool {
                true
            }
        }
        impl PartialOrd<$right> for $left {
            fn partial_cmp(&self, _: &$right) -> Option<Ordering> {
                None
            }
        })*
    };
}

// A time or a date is compared with its text, too.
ordered! {
    Num, Num;
    Text, Text;
    Instant, Instant;
    Instant, Text;
    Day, Day;
    Day, Text;
    Length, Length;
    Out, Out;
    Out, Num;
}

impl<E> PartialEq for Choice<E> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<E> PartialEq<E> for Choice<E> {
    fn eq(&self, _: &E) -> bool {
        true
    }
}

impl<E> PartialOrd for Choice<E> {
    fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
        None
    }
}

impl<E> PartialOrd<E> for Choice<E> {
    fn partial_cmp(&self, _: &E) -> Option<Ordering> {
        None
    }
}

impl<T> PartialEq for Opt<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> PartialEq<T> for Opt<T> {
    fn eq(&self, _: &T) -> bool {
        true
    }
}

impl<T> PartialEq<Option<T>> for Opt<T> {
    fn eq(&self, _: &Option<T>) -> bool {
        true
    }
}

impl<E> PartialEq<E> for Opt<Choice<E>> {
    fn eq(&self, _: &E) -> bool {
        true
    }
}

/// A type of the language, so that a function can give one.
pub trait Shape: Copy {
    /// The one value.
    const SHAPE: Self;
}

macro_rules! shapes {
    ($($ty:ty = $shape:expr;)*) => {
        $(impl Shape for $ty {
            const SHAPE: Self = $shape;
        })*
    };
}

shapes! {
    Num = Num;
    Text = Text;
    Instant = Instant;
    Day = Day;
    Length = Length;
    bool = false;
}

impl<E> Shape for Choice<E> {
    const SHAPE: Self = Choice(PhantomData);
}

impl<T> Shape for List<T> {
    const SHAPE: Self = List(PhantomData);
}

impl<T> Shape for Opt<T> {
    const SHAPE: Self = Opt(PhantomData);
}

impl<T: Shape> Opt<T> {
    /// The value, or this one where there is none: `??`.
    pub fn unwrap_or(self, _: T) -> T {
        T::SHAPE
    }

    /// Whether there is a value.
    pub fn is_some(self) -> bool {
        false
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        false
    }

    /// Whether there is a value of which this holds.
    pub fn is_some_and(self, condition: impl FnOnce(T) -> bool) -> bool {
        condition(T::SHAPE)
    }

    /// The same; a metric has no references.
    pub fn as_deref(self) -> Self {
        self
    }
}

macro_rules! functions {
    ($($ty:ty { $($(#[$doc:meta])* $name:ident($($argument:ident: $argument_type:ty),*) -> $result:ty;)* })*) => {
        $(impl $ty {
            $($(#[$doc])*
            pub fn $name(self $(, $argument: $argument_type)*) -> $result {
                $(let _ = $argument;)*
                <$result as Shape>::SHAPE
            })*
        })*
    };
}

functions! {
    Num {
        /// Without its sign.
        abs() -> Num;
        /// Half away from even digits: to so many behind the point.
        round(digits: Num) -> Num;
        /// The next int below.
        floor() -> Num;
        /// The next int above.
        ceil() -> Num;
        /// The lesser.
        min(other: Num) -> Num;
        /// The greater.
        max(other: Num) -> Num;
        /// As `int`, toward zero.
        int() -> Num;
        /// As `float`.
        float() -> Num;
        /// The value, or this one where there is none: of an operation that may fail, such as `/`.
        unwrap_or(other: Num) -> Num;
        /// A hash that never changes.
        hash64() -> Num;
    }
    Text {
        /// In lower case.
        lower() -> Text;
        /// In upper case.
        upper() -> Text;
        /// In lower case.
        to_lowercase() -> Text;
        /// In upper case.
        to_uppercase() -> Text;
        /// Without white space at its ends.
        trim() -> Text;
        /// Whether it starts so.
        starts_with(start: Text) -> bool;
        /// Whether it ends so.
        ends_with(end: Text) -> bool;
        /// Whether this is in it.
        contains(part: Text) -> bool;
        /// Whether a regular expression is found in it.
        matches(pattern: Text) -> bool;
        /// So many characters from a place on.
        substr(start: Num, length: Num) -> Text;
        /// The parts between separators.
        split(separator: Text) -> List<Text>;
        /// Both, one behind the other.
        concat(other: Text) -> Text;
        /// Its number of characters.
        length() -> Num;
        /// Its number of characters.
        len() -> Num;
        /// The same; a metric has no references.
        as_str() -> Text;
        /// A hash that never changes.
        hash64() -> Num;
    }
    Length {
        /// Without its sign.
        abs() -> Length;
        /// A hash that never changes.
        hash64() -> Num;
    }
}

macro_rules! of_time {
    ($($ty:ty: $($name:ident $in_zone:ident $what:literal),*;)*) => {
        $(impl $ty {
            $(#[doc = $what]
            #[doc = ", in UTC."]
            pub fn $name(self) -> Num {
                Num
            }
            #[doc = $what]
            #[doc = ", in a zone by its IANA name."]
            pub fn $in_zone(self, _: Text) -> Num {
                Num
            })*
        })*
    };
}

of_time! {
    Instant:
        year year_in "The year", quarter quarter_in "The quarter", month month_in "The month",
        week week_in "The ISO week", day day_in "The day of the month", hour hour_in "The hour",
        minute minute_in "The minute", second second_in "The second", weekday weekday_in "The weekday, 1 for Monday";
    Day:
        year year_in "The year", quarter quarter_in "The quarter", month month_in "The month",
        week week_in "The ISO week", day day_in "The day of the month", weekday weekday_in "The weekday, 1 for Monday";
}

impl Instant {
    /// The start of its bucket: of a duration, such as `1h`, or of a calendar's unit, such as `day("UTC")`.
    pub fn truncate<W>(self, _: W) -> Instant {
        self
    }

    /// The date, in UTC.
    pub fn date(self) -> Day {
        Day
    }

    /// The date, in a zone by its IANA name.
    pub fn date_in(self, _: Text) -> Day {
        Day
    }
}

impl<E> Choice<E> {
    /// The name.
    pub fn text(self) -> Text {
        Text
    }
}

impl<T> List<T> {
    /// Its number of elements.
    pub fn len(self) -> Num {
        Num
    }

    /// Its number of elements.
    pub fn length(self) -> Num {
        Num
    }

    /// Whether this is among its elements.
    pub fn contains<U>(self, _: U) -> bool {
        false
    }
}

impl Out {
    /// Allows an error of this share: `0.01` is one percent.
    pub fn within(self, _: Num) -> Out {
        Out
    }

    /// The value, or this one where there is none.
    pub fn unwrap_or<T>(self, _: T) -> Out {
        Out
    }

    /// To so many digits behind the point.
    pub fn round(self, _: Num) -> Out {
        Out
    }

    /// Without its sign.
    pub fn abs(self) -> Out {
        Out
    }

    /// The lesser.
    pub fn min<T>(self, _: T) -> Out {
        Out
    }

    /// The greater.
    pub fn max<T>(self, _: T) -> Out {
        Out
    }
}

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
