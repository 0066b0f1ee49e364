//! The compiler on mutated packages, for a limited time: it never panics, the formatter keeps the meaning,
//! and both engines can plan every accepted metric.
//!
//! `METRICC_FUZZ_SECONDS=600 cargo test -p metricc-tests --test it fuzz` searches longer; the seed is printed
//! with a failure, and `METRICC_FUZZ_SEED` repeats it. The corpus consists of the examples, fixtures, pages
//! and random packages.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use metricc::user_defined::Imports;
use metricc_compiler::{DerivedPlan, SourcePlan};
use metricc_dsl::{Code, SourceText, check_with, format};
use metricc_tests::generate::metrics::{FILES, package};
use metricc_tests::generate::sources::Shape;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Literals and brackets that often break parsers.
const HOSTILE: [&str; 20] = [
    "1e999999",
    "9223372036854775808",
    "0.00000000000000000000000000000000000000000001",
    "((((((((((((((((((((((((",
    "\"",
    "\"\\u{110000}\"",
    "\u{202E}",
    "\u{0}",
    "/*",
    "//",
    "///",
    "!",
    "- - - -",
    "not not not",
    "1h30m",
    "0m",
    "9999999999999d",
    "none",
    "in ()",
    "%%",
];

fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: String| std::fs::read_to_string(root.join(path)).expect("the file is there");
    let examples = ["flights", "payments", "requests", "views"];
    let mut corpus: Vec<String> =
        examples.iter().map(|example| read(format!("examples/{example}/{example}.metric"))).collect();
    corpus.extend(["own", "payments"].map(|fixture| read(format!("tests/it/fixtures/{fixture}.metric"))));
    let book = std::fs::read_dir(root.join("docs/language")).expect("there is a language reference");
    let mut chapters: Vec<String> = book
        .map(|entry| format!("docs/language/{}", entry.expect("an entry").file_name().to_string_lossy()))
        .collect();
    chapters.sort();
    let mut pages: Vec<String> = chapters.into_iter().map(read).collect();
    pages.extend(Code::all().iter().map(|code| code.explanation().to_owned()));
    for page in pages {
        let blocks = page.split("```metric").skip(1).filter_map(|rest| rest.split_once('\n'));
        corpus.extend(blocks.filter_map(|(_, rest)| rest.split("```").next()).map(str::to_owned));
    }
    let shapes = Shape::all();
    corpus.extend((0..40).map(|seed| package(seed, shapes[seed as usize % shapes.len()], 2).text));
    corpus
}

/// Splits a text into words, runs of white space, and single characters.
fn pieces(text: &str) -> Vec<&str> {
    let kind = |character: char| match character {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (index, character) in text.char_indices() {
        let kind = kind(character);
        if last.is_some_and(|last| last != kind || kind == 2) {
            pieces.push(&text[start..index]);
            start = index;
        }
        last = Some(kind);
    }
    pieces.push(&text[start..]);
    pieces
}

fn mutated(corpus: &[String], random: &mut ChaCha8Rng) -> Vec<u8> {
    let one = |random: &mut ChaCha8Rng| pieces(corpus.choose(random).map_or("", String::as_str));
    let mut text = one(random);
    for _ in 0..random.random_range(1..6) {
        let from = random.random_range(0..=text.len());
        let to = (from + random.random_range(0..8)).min(text.len());
        let other = one(random);
        let start = random.random_range(0..other.len());
        let some = &other[start..(start + random.random_range(1..12)).min(other.len())];
        match random.random_range(0..6) {
            0 => drop(text.drain(from..to)),
            1 => drop(text.splice(from..to, some.iter().copied())),
            2 => drop(text.splice(from..from, some.iter().copied())),
            3 => {
                let copied = text[from..to].to_vec();
                let at = random.random_range(0..=text.len());
                drop(text.splice(at..at, copied));
            }
            4 => text.insert(from, HOSTILE.choose(random).copied().unwrap_or_default()),
            // Replace a name, number or sign by another one of the same text.
            _ => {
                if let (Some(piece), Some(new)) = (text.get_mut(from), some.first()) {
                    *piece = new;
                }
            }
        }
    }
    let mut bytes = text.concat().into_bytes();
    if random.random_bool(0.1) && !bytes.is_empty() {
        let index = random.random_range(0..bytes.len());
        bytes[index] ^= 1 << random.random_range(0..8);
    }
    bytes
}

/// The files that the text may use, including the tables of random packages.
const BESIDE: [(&str, &str); 1] = [(
    "events.metric",
    "source payments { id: int key  at: timestamp time  amount: decimal(12, 2)  merchant_id: int }
calendar india { zone \"Asia/Kolkata\" }
metric payment_count = count() { from payments  every day in india }
",
)];

/// Plans all metrics for both engines.
fn plan(package: &metricc_ir::Package) -> Result<(), metricc_compiler::CompileError> {
    let mut of_events = package.metrics.clone();
    let operands = package.derived.iter().flat_map(|derived| &derived.operands);
    of_events.extend(operands.map(|operand| operand.metric.clone()));
    let plans = SourcePlan::of_package(&of_events, &Imports::new())?;
    let plans: Vec<_> = plans.iter().flat_map(|source| &source.metrics).collect();
    for derived in &package.derived {
        DerivedPlan::new(derived, &plans, &Imports::new())?;
    }
    Ok(())
}

/// The problem with an input, if any.
fn problem(bytes: &[u8]) -> Option<String> {
    let source = |bytes: &[u8]| SourceText { name: "fuzz.metric".to_owned(), bytes: bytes.to_vec() };
    let files: Vec<(&str, &str)> = BESIDE.into_iter().chain(FILES.iter().copied()).collect();
    let check = |source: &SourceText| check_with(source, &files[..]);
    let checked = check(&source(bytes));
    let typed = |package: &metricc_ir::Package| {
        let metrics = package.metrics.iter().map(|metric| serde_json::to_string(metric).expect("JSON"));
        let derived = package.derived.iter().map(|derived| serde_json::to_string(derived).expect("JSON"));
        metrics.chain(derived).collect::<Vec<_>>()
    };
    if !checked.has_errors()
        && checked.package.imports.is_empty()
        && let Err(error) = plan(&checked.package)
    {
        return Some(format!("it checks and does not plan: {error}"));
    }
    let laid_out = match format(&source(bytes)) {
        Ok(laid_out) => laid_out,
        Err(found) if found.is_empty() => return Some("the formatter fails without a diagnostic".to_owned()),
        Err(_) if !checked.has_errors() => return Some("it checks, but the formatter fails".to_owned()),
        Err(_) => return None,
    };
    if format(&source(laid_out.as_bytes())).ok().as_ref() != Some(&laid_out) {
        return Some(format!("the formatter fails on its own output:\n{laid_out}"));
    }
    let again = check(&source(laid_out.as_bytes()));
    if !checked.has_errors() && (again.has_errors() || typed(&again.package) != typed(&checked.package)) {
        return Some(format!("formatting changes the meaning:\n{laid_out}"));
    }
    None
}

#[test]
fn mutated_packages_are_checked_formatted_and_planned() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let end = Instant::now() + Duration::from_secs(number("METRICC_FUZZ_SECONDS").unwrap_or(10));
    let corpus = corpus();
    let first = number("METRICC_FUZZ_SEED");
    let (mut seed, mut n_sound) = (first.unwrap_or(0), 0);
    loop {
        let bytes = mutated(&corpus, &mut ChaCha8Rng::seed_from_u64(seed));
        let text = String::from_utf8_lossy(&bytes);
        match catch_unwind(|| problem(&bytes)) {
            Ok(None) => n_sound += 1,
            Ok(Some(problem)) => panic!("METRICC_FUZZ_SEED={seed}: {problem}\n---\n{text}"),
            Err(_) => panic!("METRICC_FUZZ_SEED={seed}: it panics\n---\n{text}"),
        }
        seed += 1;
        if first.is_some() || Instant::now() > end {
            break;
        }
    }
    assert!(first.is_some() || n_sound > 200, "only {n_sound} packages in the time that there was");
}
