//! The keys of the objects that stand at one place of records.
//!
//! Objects mostly have the same keys in the same order. A layout learns this order, and an object whose keys
//! are some of it in its order needs neither a look-up nor a check for keys that occur twice: the keys of the
//! layout differ, and it is walked in one direction. The next of them is compared with the text before
//! anything looks for its end.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json_cursor::{Cursor, KeySet, Syntax};

/// How many keys of an object are remembered as the usual ones.
const MAX_LAYOUT: usize = 256;
/// How many of the usual keys an object may leave out at once.
const MAX_LEAP: usize = 16;

/// The keys that are read of the objects at one place, and the order in which they and others mostly stand
/// there.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The number of each key that is read.
    by_name: HashMap<String, usize>,
    usual: Vec<UsualKey>,
    /// For each key that is read, the number of the last object that had it.
    seen: Vec<u64>,
    object: u64,
    /// Ignored keys of the present object that were found in the layout.
    ignored: Vec<usize>,
}

/// A key as most objects have it.
#[derive(Debug)]
struct UsualKey {
    name: String,
    /// Its number, if it is read.
    index: Option<usize>,
    /// How it is mostly written, with its quotes and the colon; empty if it needs escapes.
    member: String,
}

/// The keys of the present object.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    /// Index in the layout after the last key found there.
    at: usize,
    /// All ignored keys, once one was not found there.
    all: Option<KeySet<'a>>,
}

impl Layout {
    /// The number of a key that is read from now on, and whether it is a new one: numbers go up from 0.
    pub(crate) fn add(&mut self, name: &str) -> (usize, bool) {
        if let Some(&index) = self.by_name.get(name) {
            return (index, false);
        }
        let index = self.seen.len();
        self.by_name.insert(name.to_owned(), index);
        self.seen.push(0);
        (index, true)
    }

    /// Begins an object.
    #[inline]
    pub(crate) fn begin<'a>(&mut self) -> Keys<'a> {
        self.object += 1;
        self.ignored.clear();
        Keys::default()
    }

    /// Reads a key and the colon after it: its number, or none for one that is ignored.
    #[inline]
    pub(crate) fn key<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        keys: &mut Keys<'a>,
    ) -> Result<Option<usize>, Syntax> {
        let next = self.usual.get(keys.at).filter(|next| !next.member.is_empty());
        if let Some(next) = next
            && (next.index.is_some() || keys.all.is_none())
            && cursor.eat_key(&next.member)
        {
            let Some(index) = next.index else {
                self.ignored.push(keys.at);
                keys.at += 1;
                return Ok(None);
            };
            keys.at += 1;
            return match self.note(index) {
                true => Ok(Some(index)),
                false => Err(cursor.repeated_key_before(1)),
            };
        }
        let found = self.any_key(cursor, keys)?;
        cursor.expect(b':', "a `:` is expected after a key")?;
        Ok(found)
    }

    /// Notes a key that is read; false if the object has had it.
    #[inline]
    fn note(&mut self, index: usize) -> bool {
        std::mem::replace(&mut self.seen[index], self.object) != self.object
    }

    /// Reads a key that may not be the next one of the layout.
    fn any_key<'a>(&mut self, cursor: &mut Cursor<'a>, keys: &mut Keys<'a>) -> Result<Option<usize>, Syntax> {
        let key = cursor.key()?;
        let ahead = self.usual.iter().enumerate().skip(keys.at).take(MAX_LEAP);
        let usual = ahead.into_iter().find(|(_, usual)| *usual.name == *key);
        let usual = usual.map(|(place, usual)| (place, usual.index));
        let index = match usual {
            Some((place, index)) => {
                keys.at = place + 1;
                index
            }
            None => self.unusual_key(&key, keys),
        };
        match (index, usual) {
            (Some(index), _) => {
                return if self.note(index) { Ok(Some(index)) } else { Err(cursor.repeated_key_before(0)) };
            }
            (None, Some((place, _))) if keys.all.is_none() => self.ignored.push(place),
            (None, _) => {
                if !keys.all.get_or_insert_default().insert(key) {
                    return Err(cursor.repeated_key_before(0));
                }
            }
        }
        Ok(None)
    }

    /// Looks up a key that the layout does not have next, and teaches it to the layout if it has it nowhere.
    fn unusual_key(&mut self, key: &str, keys: &mut Keys<'_>) -> Option<usize> {
        let index = self.by_name.get(key).copied();
        let (usual, ignored) = (&self.usual, &self.ignored);
        keys.all.get_or_insert_with(|| {
            let mut all = KeySet::default();
            ignored.iter().for_each(|&place| {
                all.insert(Cow::Owned(usual[place].name.clone()));
            });
            all
        });
        if self.usual.len() < MAX_LAYOUT && self.usual.iter().all(|usual| usual.name != key) {
            let is_plain = !key.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
            let member = if is_plain { format!("\"{key}\":") } else { String::new() };
            self.usual.insert(keys.at, UsualKey { name: key.to_owned(), index, member });
            keys.at += 1;
        }
        index
    }
}
