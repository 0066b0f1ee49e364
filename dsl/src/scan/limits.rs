//! Depth and length limits of one item, checked on its tokens.
//!
//! Invariant for every later stage: the tree of an accepted expression is at most
//! `MOST_NESTED + MOST_OPERATORS` deep, the tree of a type at most `MOST_NESTED`.

use super::{Scanned, Token, TokenKind};
use crate::code::Code;
use crate::diagnostic::Diagnostic;

/// Deepest nesting of brackets, `if`s, prefix operators and `list<…>`.
const MOST_NESTED: usize = 64;
/// Longest chain of operators in one expression, nested ones included.
const MOST_OPERATORS: usize = 256;

/// Counts since a bracket was opened.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators when the level was entered.
    n_before: usize,
    /// Operators so far.
    n_operators: usize,
    /// Most operators in one of the parts that a comma separates.
    n_most: usize,
    n_ifs: usize,
    /// `list<` that are open.
    n_lists: usize,
}

impl Level {
    fn start_expression(&mut self) {
        self.n_most = self.n_most.max(self.n_operators);
        self.n_operators = self.n_before;
        self.n_ifs = 0;
    }
}

#[derive(Default)]
struct Counter {
    levels: Vec<Level>,
    n_ifs: usize,
    n_prefixes: usize,
    n_lists: usize,
    /// Whether the token before ends an operand, so that a `-` after it is not a prefix.
    behind_operand: bool,
    behind_list: bool,
    /// After `list<`: what follows is part of a type.
    in_list: bool,
}

/// The first limit that an item exceeds, if it does.
pub(crate) fn check(scanned: &Scanned<'_>, tokens: &[Token]) -> Option<Diagnostic> {
    let mut counter = Counter { levels: vec![Level::default()], ..Counter::default() };
    for token in tokens.iter().filter(|token| token.kind != TokenKind::Doc) {
        counter.count(token.kind, scanned.token_text(*token));
        let n_nested = counter.levels.len() - 1 + counter.n_ifs + counter.n_prefixes + counter.n_lists;
        if n_nested > MOST_NESTED {
            return Some(
                Diagnostic::new(
                    Code::LimitExceeded,
                    format!("nested more than {MOST_NESTED} deep"),
                    token.span,
                    "the limit is here",
                )
                .help("give the inner part a name with `let`"),
            );
        }
        if counter.levels.last().is_some_and(|level| level.n_operators > MOST_OPERATORS) {
            return Some(
                Diagnostic::new(
                    Code::LimitExceeded,
                    format!("more than {MOST_OPERATORS} operators in one expression"),
                    token.span,
                    "the limit is here",
                )
                .help("use `in (…)` for many comparisons, or give parts a name with `let`"),
            );
        }
    }
    None
}

impl Counter {
    fn count(&mut self, kind: TokenKind, text: &str) {
        let behind_operand = std::mem::replace(&mut self.behind_operand, true);
        let behind_list = std::mem::replace(&mut self.behind_list, false);
        let in_list = std::mem::replace(&mut self.in_list, false);
        match (kind, text) {
            (TokenKind::Punctuation, "(" | "[") => self.open(),
            (TokenKind::Punctuation, ")" | "]") => self.close(),
            // Braces hold clauses and fields: no expression goes through them, but types do.
            (TokenKind::Punctuation, "{") => {
                if !in_list {
                    self.boundary();
                }
                self.open();
            }
            (TokenKind::Punctuation, "}") => {
                self.close();
                if self.levels.last().is_none_or(|level| level.n_lists == 0) {
                    self.boundary();
                }
            }
            (TokenKind::Punctuation, "," | ":") => self.boundary(),
            (TokenKind::Punctuation, "<") if behind_list => {
                self.n_lists += 1;
                if let Some(level) = self.levels.last_mut() {
                    level.n_lists += 1;
                }
                self.operator();
                self.in_list = true;
            }
            (TokenKind::Punctuation, ">") => {
                if let Some(level) = self.levels.last_mut().filter(|level| level.n_lists > 0) {
                    level.n_lists -= 1;
                    self.n_lists -= 1;
                }
                self.operator();
            }
            (TokenKind::Punctuation, "-") if !behind_operand => self.prefix(),
            (TokenKind::Punctuation, "=" | "?" | ".") => self.behind_operand = false,
            (TokenKind::Punctuation, _) | (TokenKind::Word, "and" | "or" | "in" | "offset") => {
                self.operator();
            }
            (TokenKind::Word, "not") => self.prefix(),
            (TokenKind::Word, "if") => {
                self.n_ifs += 1;
                if let Some(level) = self.levels.last_mut() {
                    level.n_ifs += 1;
                }
                self.behind_operand = false;
            }
            (TokenKind::Word, "then" | "else") => {
                self.n_prefixes = 0;
                self.behind_operand = false;
            }
            (TokenKind::Word, "from" | "each" | "let" | "where" | "by" | "every" | "as") => self.boundary(),
            (TokenKind::Word, "list") => {
                self.n_prefixes = 0;
                self.behind_list = true;
            }
            _ => self.n_prefixes = 0,
        }
    }

    fn operator(&mut self) {
        self.n_prefixes = 0;
        self.behind_operand = false;
        if let Some(level) = self.levels.last_mut() {
            level.n_operators += 1;
        }
    }

    /// A run of prefixes nests; all of them count as operators.
    fn prefix(&mut self) {
        let n_prefixes = self.n_prefixes + 1;
        self.operator();
        self.n_prefixes = n_prefixes;
    }

    fn boundary(&mut self) {
        self.n_prefixes = 0;
        self.behind_operand = false;
        if let Some(level) = self.levels.last_mut() {
            self.n_ifs -= level.n_ifs;
            self.n_lists -= std::mem::take(&mut level.n_lists);
            level.start_expression();
        }
    }

    fn open(&mut self) {
        self.behind_operand = false;
        let n_before = self.levels.last().map_or(0, |level| level.n_operators);
        self.levels.push(Level { n_before, n_operators: n_before, n_most: n_before, n_ifs: 0, n_lists: 0 });
    }

    fn close(&mut self) {
        self.n_prefixes = 0;
        if self.levels.len() < 2 {
            return;
        }
        if let Some(level) = self.levels.pop() {
            self.n_ifs -= level.n_ifs;
            self.n_lists -= level.n_lists;
            if let Some(outer) = self.levels.last_mut() {
                outer.n_operators = level.n_most.max(level.n_operators);
            }
        }
    }
}
