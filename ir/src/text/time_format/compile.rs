//! A format as text → its steps. Each part of a time is given once, and none is missing or contradicts
//! another.

use super::super::timestamp::trimmed;
use super::{Fixed, FormatProblem, FormatPurpose, Part, Step, TimeFormat};

/// Most bytes of a format.
const MOST_BYTES: usize = 200;

/// Which directives give the same part of a time.
const SAME: [(&str, &[&str]); 10] = [
    ("a year", &["%Y", "%y"]),
    ("a month", &["%m", "%b", "%B"]),
    ("a day", &["%d", "%e", "%j"]),
    ("an hour", &["%H", "%k", "%I", "%l"]),
    ("minutes", &["%M"]),
    ("seconds", &["%S"]),
    ("a fraction", &["%f", "%.f"]),
    ("a half of the day", &["%p"]),
    ("an offset", &["%z", "%Z"]),
    ("a day of the week", &["%a", "%A"]),
];

impl TimeFormat {
    /// Compiles a format.
    ///
    /// # Errors
    /// [`FormatProblem`] if a directive is not known, a part of the time is missing, or given more than once.
    pub fn compile(text: &str, reads: FormatPurpose) -> Result<TimeFormat, FormatProblem> {
        if text.len() > MOST_BYTES {
            return Err(problem(
                format!("more than {MOST_BYTES} bytes"),
                "a format is as short as its texts",
            ));
        }
        let text = trimmed(text);
        let mut found = Vec::new();
        directives(text, &mut found)?;
        each_once(&found)?;
        let names: Vec<&str> = found.iter().map(|item| item.name()).filter(|name| !name.is_empty()).collect();
        complete(&names, reads)?;
        let is_digit = |place: usize| found.get(place).is_some_and(Item::starts_with_digit);
        let steps = found.iter().enumerate().map(|(place, item)| {
            let follows_digits = place.checked_sub(1).is_some_and(is_digit);
            item.step(is_digit(place + 1), follows_digits)
        });
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let has_day_of_year = names.contains(&"%j");
        Ok(TimeFormat { text: text.to_owned(), fixed: Fixed::of(&steps), steps, has_day_of_year })
    }
}

/// A byte or a directive of a format.
#[derive(Debug)]
enum Item {
    Byte(u8),
    Directive(&'static str),
}

/// The directives that are one step each.
const DIRECTIVES: [&str; 22] = [
    "%Y", "%y", "%m", "%b", "%B", "%d", "%e", "%j", "%H", "%k", "%I", "%l", "%M", "%S", "%f", "%.f", "%p",
    "%z", "%Z", "%a", "%A", "%%",
];
/// Directives that stand for others.
const LONGER: [(&str, &str); 7] = [
    ("%F", "%Y-%m-%d"),
    ("%T", "%H:%M:%S"),
    ("%R", "%H:%M"),
    ("%D", "%m/%d/%y"),
    ("%h", "%b"),
    ("%P", "%p"),
    ("%:z", "%z"),
];

fn problem(problem: impl Into<String>, help: impl Into<String>) -> FormatProblem {
    FormatProblem { problem: problem.into(), help: help.into() }
}

fn directives(text: &str, found: &mut Vec<Item>) -> Result<(), FormatProblem> {
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        if first != b'%' {
            found.push(Item::Byte(first));
            // A character of several bytes is as many items.
            let length = rest.chars().next().map_or(1, char::len_utf8);
            found.extend(rest.as_bytes()[1..length].iter().map(|byte| Item::Byte(*byte)));
            rest = &rest[length..];
            continue;
        }
        let starts_with = |name: &&str| rest.starts_with(*name);
        if let Some((name, meaning)) = LONGER.iter().find(|(name, _)| starts_with(name)) {
            directives(meaning, found)?;
            rest = &rest[name.len()..];
        } else if let Some(name) = DIRECTIVES.iter().find(|name| starts_with(name)) {
            found.push(if *name == "%%" { Item::Byte(b'%') } else { Item::Directive(name) });
            rest = &rest[name.len()..];
        } else {
            return Err(unknown(rest));
        }
    }
    Ok(())
}

fn unknown(rest: &str) -> FormatProblem {
    let mut characters = rest.chars();
    let name: String = characters.by_ref().take(2).collect();
    let help = match name.as_str() {
        "%" => "a `%` itself is written `%%`".to_owned(),
        "%s" => "for seconds since 1970, write `unit s` instead of a format".to_owned(),
        "%-" | "%_" | "%0" => {
            "a number of one digit is read with or without a zero before it: leave the sign out".to_owned()
        }
        _ => format!("directives are {}", DIRECTIVES[..21].join(" ")),
    };
    let name =
        if name == "%:" || name == "%-" || name == "%." { rest.chars().take(3).collect() } else { name };
    problem(format!("`{name}` is not a directive"), help)
}

fn each_once(found: &[Item]) -> Result<(), FormatProblem> {
    for (what, names) in SAME {
        let mut given = found.iter().map(Item::name).filter(|name| names.contains(name));
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            return Err(problem(
                format!("{what} is given twice: `{first}` and `{second}`"),
                "leave one of them out".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Whether the directives say all that is needed, and nothing that contradicts it.
fn complete(names: &[&str], reads: FormatPurpose) -> Result<(), FormatProblem> {
    let any = |wanted: &[&str]| names.iter().any(|name| wanted.contains(name));
    let missing = |what: &str, help: &str| Err(problem(format!("{what} is missing"), help));
    if !any(&["%Y", "%y"]) {
        return missing("the year", "add `%Y`, or `%y` for its last two digits");
    }
    if any(&["%j"]) && any(&["%m", "%b", "%B"]) {
        return Err(problem("a month and a day of the year", "leave out `%j` or the month"));
    }
    if !any(&["%j"]) && !any(&["%m", "%b", "%B"]) {
        return missing("the month", "add `%m`, or `%b` for its name");
    }
    if !any(&["%d", "%e", "%j"]) {
        return missing("the day", "add `%d`");
    }
    let is_half = any(&["%I", "%l"]);
    if is_half && !any(&["%p"]) {
        return missing("the half of the day", "add `%p`, or write `%H` for hours from 0 to 23");
    }
    if any(&["%p"]) && !is_half {
        return Err(problem("`%p` without an hour from 1 to 12", "write `%I` for the hour"));
    }
    let order: [(&[&str], &[&str], &str, &str); 3] = [
        (&["%M"], &["%H", "%k", "%I", "%l"], "the hour", "add `%H`"),
        (&["%S"], &["%M"], "the minute", "add `%M`"),
        (&["%f", "%.f"], &["%S"], "the second", "add `%S`"),
    ];
    for (finer, coarser, what, help) in order {
        if any(finer) && !any(coarser) {
            return missing(what, help);
        }
    }
    match (reads, any(&["%z", "%Z"])) {
        (FormatPurpose::Instants, false) => Err(problem(
            "its times have no offset, and the field has no `zone`",
            "say whose local times they are, as in `zone \"UTC\"`, or add `%z`",
        )),
        (FormatPurpose::Dates, true) => {
            Err(problem("an offset in a date", "leave it out, or declare a `timestamp`"))
        }
        _ => Ok(()),
    }
}

impl Item {
    /// The directive; empty for a byte.
    fn name(&self) -> &'static str {
        match self {
            Item::Byte(_) => "",
            Item::Directive(name) => name,
        }
    }

    /// Whether a digit may be the first byte of its text.
    fn starts_with_digit(&self) -> bool {
        match self {
            Item::Byte(byte) => byte.is_ascii_digit(),
            Item::Directive(name) => !matches!(*name, "%b" | "%B" | "%a" | "%A" | "%p" | "%z" | "%Z" | "%.f"),
        }
    }

    /// Among digits, numbers have all of theirs.
    fn step(&self, digits_follow: bool, follows_digits: bool) -> Result<Step, FormatProblem> {
        let number = |part| match digits_follow || follows_digits {
            true => Step::Two(part),
            false => Step::OneOrTwo { part, may_be_padded: false },
        };
        let padded = |part| Step::OneOrTwo { part, may_be_padded: true };
        let name = match self {
            Item::Byte(byte) => return Ok(Step::Byte(*byte)),
            Item::Directive(name) => *name,
        };
        if digits_follow && matches!(name, "%f" | "%.f" | "%e" | "%k" | "%l" | "%z") {
            let help = "put something that is not a digit between the two";
            return Err(problem(format!("digits follow `{name}`, which has no fixed width"), help));
        }
        Ok(match name {
            "%Y" => Step::Four,
            "%y" => Step::Two(Part::YearOfCentury),
            "%m" => number(Part::Month),
            "%d" => number(Part::Day),
            "%e" => padded(Part::Day),
            "%j" => Step::UpToThree { is_full: digits_follow || follows_digits },
            "%H" => number(Part::Hour),
            "%k" => padded(Part::Hour),
            "%I" => number(Part::Hour12),
            "%l" => padded(Part::Hour12),
            "%M" => number(Part::Minute),
            "%S" => number(Part::Second),
            "%b" | "%B" => Step::MonthName,
            "%a" | "%A" => Step::WeekdayName,
            "%p" => Step::HalfOfDay,
            "%f" => Step::Fraction,
            "%.f" => Step::PointAndFraction,
            "%z" => Step::Offset,
            _ => Step::ZoneName,
        })
    }
}
