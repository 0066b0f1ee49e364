//! Single words and signs of other languages: operators, literals and kinds of item.

/// A word or sign, and what to write.
#[derive(Debug)]
pub struct Foreign {
    /// The words, each of which means the same.
    pub words: &'static [&'static str],
    /// The message, after the quoted word.
    pub(crate) problem: &'static str,
    /// What to write.
    pub help: &'static str,
}

const OPERATOR: Foreign = Foreign { words: &[], problem: "is not an operator of this language", help: "" };
const SIGN: Foreign = Foreign { problem: "is not a sign of this language", ..OPERATOR };
const VALUE: Foreign = Foreign { problem: "is not a value of this language", ..OPERATOR };
const ITEM: Foreign = Foreign { problem: "", ..OPERATOR };

/// Signs that are no token. A longer one stands before those that it begins with.
pub const OPERATORS: &[Foreign] = &[
    Foreign { words: &["==="], help: "write `==`", ..OPERATOR },
    Foreign { words: &["!=="], help: "write `!=`", ..OPERATOR },
    Foreign { words: &["<=>"], help: "write `==`: none equals none", ..OPERATOR },
    Foreign { words: &["=~"], help: "write `matches(x, \"pattern\")`", ..OPERATOR },
    Foreign { words: &["!~"], help: "write `not matches(x, \"pattern\")`", ..OPERATOR },
    Foreign { words: &[":="], help: "write `=`", ..OPERATOR },
    Foreign { words: &["=>"], help: "write `=`, in a record `:`", ..SIGN },
    Foreign { words: &["&&"], help: "write `and`", ..OPERATOR },
    Foreign { words: &["||"], help: "write `or`; texts are joined by `concat(a, b)`", ..OPERATOR },
    Foreign { words: &["<>"], help: "write `!=`", ..OPERATOR },
    Foreign { words: &["&"], help: "write `and`", ..OPERATOR },
    Foreign { words: &["|"], help: "write `or`", ..OPERATOR },
    Foreign {
        words: &["~"],
        help: "write `not`; a pattern is looked for by `matches(x, \"pattern\")`",
        ..OPERATOR
    },
    Foreign { words: &["^"], help: "there is no power: write `x * x`", ..OPERATOR },
    Foreign { words: &["≠"], help: "write `!=`", ..OPERATOR },
    Foreign { words: &["≤"], help: "write `<=`", ..OPERATOR },
    Foreign { words: &["≥"], help: "write `>=`", ..OPERATOR },
    Foreign { words: &["×", "·"], help: "write `*`", ..OPERATOR },
    Foreign { words: &["÷"], help: "write `/`", ..OPERATOR },
    Foreign { words: &["\u{2212}", "\u{2013}", "\u{2014}"], help: "write `-`", ..OPERATOR },
    Foreign {
        words: &["\u{201C}", "\u{201D}", "\u{201E}", "\u{2018}", "\u{2019}", "\u{AB}", "\u{BB}"],
        help: "put text in straight quotes: `\"text\"`",
        ..SIGN
    },
    Foreign {
        words: &["`"],
        problem: "is a backtick",
        help: "write names as they are, and text in straight quotes: `\"text\"`",
    },
    Foreign { words: &[";"], help: "remove it: clauses need no separator, fields at most a `,`", ..SIGN },
];

/// Names of values.
pub const VALUES: &[Foreign] = &[
    Foreign { words: &["null", "nil", "nan", "na", "undefined", "None"], help: "write `none`", ..VALUE },
    Foreign { words: &["True", "TRUE"], help: "write `true`", ..VALUE },
    Foreign { words: &["False", "FALSE"], help: "write `false`", ..VALUE },
];

/// Words that begin a statement or a definition elsewhere.
pub const ITEMS: &[Foreign] = &[
    Foreign {
        words: &["select", "with"],
        help: "a query is a metric: `metric NAME = sum(x) { from SOURCE  where …  by … }`",
        ..ITEM
    },
    Foreign {
        words: &["create", "struct", "class", "event", "stream", "model", "semantic_model", "schema"],
        help: "events are declared as a source: `source NAME { at: timestamp time  amount: decimal(12, 2) }`",
        ..ITEM
    },
    Foreign {
        words: &["def", "fn", "func", "function"],
        help: "a function of your program is imported: `import function NAME(int): int`",
        ..ITEM
    },
    Foreign {
        words: &["measure", "measures", "record", "expr", "view"],
        help: "a measure is a metric: `metric NAME = sum(x) { from SOURCE }`",
        ..ITEM
    },
    Foreign { words: &["include", "using", "require"], help: "write `use file.{name}`", ..ITEM },
    Foreign {
        words: &["let", "var", "const"],
        help: "`let` is a clause of a metric; a shared value is a metric",
        ..ITEM
    },
];

/// The row of a word, whose case counts only where a row has capitals.
pub(crate) fn row(rows: &'static [Foreign], word: &str) -> Option<&'static Foreign> {
    let is_word = |known: &&str| match known.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => *known == word,
        false => known.eq_ignore_ascii_case(word),
    };
    rows.iter().find(|row| row.words.iter().any(&is_word))
}
