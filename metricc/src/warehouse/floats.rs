//! A package with floats instead of decimals.
//!
//! Types of expressions follow from those of fields, so the text is changed and checked again, not the typed
//! metric: what it then means is what the checker says.

use metricc_dsl::{Files, SourceText, check_with};
use metricc_ir::AnyMetric;

use crate::Package;

/// The metric of a package in which every `decimal(…)` is a `float`; `None` if the checker does not accept
/// that.
pub(super) fn with_floats(package: &Package, metric: &str) -> Option<AnyMetric> {
    let text = SourceText { name: package.text.name.clone(), bytes: floats(&package.text.bytes)? };
    let checked = check_with(&text, &Used(package));
    let found = checked.package.all_metrics().find(|found| found.name() == metric);
    found.filter(|found| found.base().iter().all(|base| !base.source.fields.is_empty()))
}

/// The files that the package uses, with floats as well.
struct Used<'a>(&'a Package);

impl Files for Used<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let used = self
            .0
            .checked
            .used
            .iter()
            .find(|used| used.name == name || used.name.ends_with(&format!("/{name}")));
        let used = used.ok_or_else(|| "there is no such file in this folder".to_owned())?;
        match name.ends_with(".metric") {
            true => floats(&used.bytes).ok_or_else(|| "it is not text".to_owned()),
            false => Ok(used.bytes.clone()),
        }
    }
}

/// The text with `float` for each `decimal(p, s)` outside of texts in quotes.
fn floats(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let n_taken = if first == '"' {
            quoted(rest)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(n) = decimal(rest).filter(|_| !out.ends_with(is_of_word)) {
            out.push_str("float");
            rest = &rest[n..];
            continue;
        } else {
            first.len_utf8()
        };
        out.push_str(&rest[..n_taken]);
        rest = &rest[n_taken..];
    }
    Some(out.into_bytes())
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of the text in quotes that stands at the start.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the `decimal(p, s)` that stands at the start.
fn decimal(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("decimal")?.trim_start().strip_prefix('(')?;
    let (digits, after) = inner.split_once(')')?;
    let is_plain =
        digits.chars().all(|letter| letter.is_ascii_digit() || letter == ',' || letter.is_whitespace());
    is_plain.then(|| text.len() - after.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_floats_and_nothing_else_changes() {
        let text = "// a decimal(1, 0)\nsource s { a: decimal(12, 2)? b: string = \"decimal(3, 1)\" my_decimal (4) }";
        let expected =
            "// a decimal(1, 0)\nsource s { a: float? b: string = \"decimal(3, 1)\" my_decimal (4) }";
        assert_eq!(floats(text.as_bytes()).unwrap(), expected.as_bytes());
        assert_eq!(floats("\"a\\\" decimal(1, 1)".as_bytes()).unwrap(), "\"a\\\" decimal(1, 1)".as_bytes());
        assert_eq!(floats("list<decimal ( 3,1 )>".as_bytes()).unwrap(), b"list<float>");
    }

    #[test]
    fn a_metric_over_decimals_is_one_over_floats() {
        let text = "source s { at: timestamp time  x: decimal(8, 2) }\nmetric m = mean(x) { from s }";
        let package = Package::from_text(SourceText { name: "a.metric".to_owned(), bytes: text.into() });
        let metric = with_floats(&package, "m").unwrap();
        assert_eq!(metric.row_type().outputs[0].ty.to_string(), "float?");
        assert_eq!(metric.base()[0].source.fields[1].ty.to_string(), "float");
    }
}
