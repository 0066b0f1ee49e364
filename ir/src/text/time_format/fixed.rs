//! Formats in which nothing but digits varies: texts of the full length are read by place.

use super::{Part, Step};

/// A layout of fixed places: nothing is looked for, and each pair of digits is read where it stands. A text
/// of the full length can be read in no other way, so this and the steps agree.
#[derive(Debug, Clone, Default)]
pub(super) struct Fixed {
    pub(super) length: usize,
    bytes: Vec<(usize, u8)>,
    /// Where the pair is, the number that it is of, and what it counts there.
    pairs: Vec<(usize, Part, i32)>,
}

impl Fixed {
    /// The layout of these steps, if it is one.
    pub(super) fn of(steps: &[Step]) -> Option<Self> {
        let mut fixed = Fixed::default();
        for step in steps {
            let at = fixed.length;
            match step {
                Step::Byte(byte) => fixed.bytes.push((at, *byte)),
                Step::Four => fixed.pairs.extend([(at, Part::Year, 100), (at + 2, Part::Year, 1)]),
                Step::Two(part) | Step::OneOrTwo { part, may_be_padded: false } => match part {
                    Part::YearOfCentury | Part::DayOfYear | Part::Hour12 | Part::Year => return None,
                    part => fixed.pairs.push((at, *part, 1)),
                },
                _ => return None,
            }
            fixed.length += match step {
                Step::Byte(_) => 1,
                Step::Four => 4,
                _ => 2,
            };
        }
        Some(fixed)
    }

    /// The numbers of a text of this length, by their part.
    #[inline]
    pub(super) fn read(&self, text: &[u8]) -> Option<[i32; 9]> {
        let mut values = [0; 9];
        // The month and the day are always given.
        let mut is_of_layout = true;
        for (at, byte) in &self.bytes {
            is_of_layout &= text[*at] == *byte;
        }
        for (at, part, unit) in &self.pairs {
            let (tens, ones) = (text[*at].wrapping_sub(b'0'), text[*at + 1].wrapping_sub(b'0'));
            is_of_layout &= tens < 10 && ones < 10;
            values[*part as usize] += (i32::from(tens) * 10 + i32::from(ones)) * unit;
        }
        is_of_layout.then_some(values)
    }
}
