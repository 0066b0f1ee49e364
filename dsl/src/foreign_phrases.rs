//! What other languages call what this one has too: the phrase book of the messages, as data.
//!
//! A phrase is looked for in an item that does not parse, among its tokens. So a pattern may only match what
//! no sound item has, unless it is [`Place::AtError`]: then it has to begin with the token where parsing
//! stopped. Names of functions are not here: `metricc_ir::functions` has them.

use std::ops::Range;

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::scan::{Scanned, Token, TokenKind};
use pattern::Element;

mod fields;
mod metrics;
mod pattern;

/// Where a phrase is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anywhere in the item: no sound item has it.
    Anywhere,
    /// Where parsing stopped: elsewhere its words may be names.
    AtError,
    /// Where parsing stopped and could have gone on with an operator.
    AtOperator,
    /// After a type, at or next to the token where parsing stopped: a word there is taken for the name of a
    /// field.
    BehindType,
}

/// What another language writes, and what to write here.
#[derive(Debug)]
pub struct Phrase {
    /// As the other language writes it; the message begins with it.
    pub name: &'static str,
    /// The other language.
    pub language: &'static str,
    pub(crate) place: Place,
    /// Words and signs; a letter is an operand, a letter with `..` a run of tokens (see [`pattern`]).
    pub(crate) pattern: &'static str,
    /// What to write; `{A}` is what the pattern's `A` matched.
    pub help: &'static str,
    /// An item, or the value of a metric, that has it.
    pub example: &'static str,
}

/// The phrases of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Book {
    /// Values and clauses of metrics.
    Metric,
    /// Fields of sources and tables.
    Fields,
}

impl Book {
    fn phrases(self) -> &'static [Phrase] {
        match self {
            Book::Metric => metrics::PHRASES,
            Book::Fields => fields::PHRASES,
        }
    }
}

/// All phrases: of metrics, then of fields.
pub fn phrases() -> impl Iterator<Item = &'static Phrase> {
    metrics::PHRASES.iter().chain(fields::PHRASES)
}

/// Where parsing stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped {
    /// At the token that begins here.
    pub(crate) at: usize,
    /// Whether an operator could have stood there.
    pub(crate) wants_operator: bool,
}

/// The phrases in an item, and whether parsing stopped at one of them.
pub(crate) struct Met {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) explain_stop: bool,
}

/// Looks for phrases in the tokens of an item.
pub(crate) fn meet(book: Book, scanned: &Scanned<'_>, item: Span, stopped: Option<Stopped>) -> Met {
    let all = &scanned.tokens;
    let first = all.partition_point(|token| token.span.start < item.start);
    let end = all.partition_point(|token| token.span.end <= item.end);
    let tokens: Vec<Token> =
        all[first..end].iter().copied().filter(|token| token.kind != TokenKind::Doc).collect();
    let text = |place: usize| scanned.token_text(tokens[place]);
    let mut met = Met { diagnostics: Vec::new(), explain_stop: false };
    let phrases: Vec<(&Phrase, Vec<Element>)> =
        book.phrases().iter().map(|phrase| (phrase, Element::all(phrase.pattern))).collect();
    // A token that one phrase has as its own word belongs to no other.
    let mut taken = vec![false; tokens.len()];
    for start in 0..tokens.len() {
        for (phrase, elements) in &phrases {
            let found = pattern::matched(elements, &tokens, &text, start);
            let Some(found) = found.filter(|found| found.words.iter().all(|word| !taken[*word])) else {
                continue;
            };
            let own = span_of(&tokens, &(start..found.range.end));
            let before = start.checked_sub(1).map(&text);
            let after = tokens.get(found.range.end).map_or(item.end, |token| token.span.start);
            if !phrase.place.is_met(stopped, own, before, after) {
                continue;
            }
            found.words.iter().for_each(|word| taken[*word] = true);
            let whole = span_of(&tokens, &found.range);
            met.explain_stop |= stopped.is_some_and(|stopped| {
                (whole.start..whole.end).contains(&stopped.at) || phrase.place == Place::BehindType
            });
            met.diagnostics.push(diagnostic(phrase, own, |letter| {
                let (_, range) = found.captured.iter().find(|(known, _)| *known == letter)?;
                Some(spelled_here(scanned, &tokens[range.clone()]))
            }));
        }
    }
    met
}

impl Place {
    /// Whether a phrase of this place may be at a span, between what is before it and where the next token
    /// begins.
    fn is_met(self, stopped: Option<Stopped>, own: Span, before: Option<&str>, after: usize) -> bool {
        let Some(stopped) = stopped else { return self == Place::Anywhere };
        match self {
            Place::Anywhere => true,
            Place::AtError => stopped.at == own.start,
            Place::AtOperator => stopped.at == own.start && stopped.wants_operator,
            Place::BehindType => {
                let is_behind = before.is_some_and(|before| !matches!(before, "{" | ","));
                is_behind && own.start <= stopped.at && stopped.at <= after
            }
        }
    }
}

fn span_of(tokens: &[Token], range: &Range<usize>) -> Span {
    match (tokens.get(range.start), range.end.checked_sub(1).and_then(|last| tokens.get(last))) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => Span { start: 0, end: 0 },
    }
}

/// Tokens as they stand in the text, with the quotes and comparisons of SQL as they are written here.
fn spelled_here(scanned: &Scanned<'_>, tokens: &[Token]) -> String {
    let mut spelled = String::new();
    let mut end = tokens.first().map_or(0, |token| token.span.start);
    for token in tokens {
        spelled.push_str(&scanned.text[end..token.span.start]);
        end = token.span.end;
        match scanned.token_text(*token) {
            "=" => spelled.push_str("=="),
            "<>" => spelled.push_str("!="),
            text => match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
                Some(inner) => {
                    let inner = inner.replace('\\', "\\\\").replace('"', "\\\"");
                    spelled.extend(["\"", &inner, "\""]);
                }
                None => spelled.push_str(text),
            },
        }
    }
    spelled
}

/// Longest part of the text that a help repeats, in bytes.
const LONGEST_PART: usize = 48;

fn diagnostic(phrase: &Phrase, span: Span, captured: impl Fn(char) -> Option<String>) -> Diagnostic {
    let mut help = String::new();
    let mut rest = phrase.help;
    while let Some((before, after)) = rest.split_once('{') {
        help.push_str(before);
        let letter = after.chars().next().filter(|letter| letter.is_ascii_uppercase());
        let Some(letter) = letter.filter(|_| after[1..].starts_with('}')) else {
            help.push('{');
            rest = after;
            continue;
        };
        let part = captured(letter).unwrap_or_else(|| "…".to_owned());
        let is_short = part.len() <= LONGEST_PART && !part.contains('\n');
        help.push_str(if is_short { &part } else { "…" });
        rest = &after[2..];
    }
    help.push_str(rest);
    let message = format!("`{}` is a spelling of {}", phrase.name, phrase.language);
    Diagnostic::new(Code::ForeignSpelling, message, span, "").help(help)
}
