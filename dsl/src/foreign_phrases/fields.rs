//! Phrases in the fields of sources and tables.

use super::{Phrase, Place};

const BEHIND_TYPE: Phrase =
    Phrase { name: "", language: "SQL", place: Place::BehindType, pattern: "", help: "", example: "" };

pub(super) const PHRASES: &[Phrase] = &[
    Phrase {
        name: "not null",
        pattern: "not null",
        help: "remove it: only a field whose type ends in `?` may be none",
        example: "source s { at: timestamp time  n: int not null }",
        ..BEHIND_TYPE
    },
    Phrase {
        name: "null",
        pattern: "null|nullable|optional",
        help: "write `?` after the type: `int?`",
        example: "source s { at: timestamp time  n: int null }",
        ..BEHIND_TYPE
    },
    Phrase {
        name: "primary key",
        pattern: "primary key",
        help: "write `key`",
        example: "source s { at: timestamp time  n: int primary key }",
        ..BEHIND_TYPE
    },
    Phrase {
        name: "unique",
        pattern: "unique",
        help: "write `key` after the fields that identify an event",
        example: "source s { at: timestamp time  n: int unique }",
        ..BEHIND_TYPE
    },
    Phrase {
        name: "default",
        pattern: "default A",
        help: "write `= {A}`",
        example: "source s { at: timestamp time  n: int default 0 }",
        ..BEHIND_TYPE
    },
];
