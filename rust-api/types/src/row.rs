//! The language's types, for Rust's type checker.
//!
//! The body of a `#[metric]` function is compiled for completion, rename and types in an editor, and never
//! runs. In its closures a field of an event has one of these types: they have the functions of the language
//! as methods, hold no data and compute nothing. They accept more than the language does; the macro reports
//! the rest on the token.

mod functions;

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

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
copies!(Choice List Opt);

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
