//! Characters that a reader does not see: which they are, and what to call them.

/// Names of characters that look like nothing or like another one, by code point.
const NAMES: [(char, &str); 23] = [
    ('\u{00A0}', "no-break space"),
    ('\u{00AD}', "soft hyphen"),
    ('\u{061C}', "Arabic letter mark"),
    ('\u{1680}', "Ogham space mark"),
    ('\u{2002}', "en space"),
    ('\u{2003}', "em space"),
    ('\u{2009}', "thin space"),
    ('\u{200A}', "hair space"),
    ('\u{200B}', "zero width space"),
    ('\u{200C}', "zero width non-joiner"),
    ('\u{200D}', "zero width joiner"),
    ('\u{200E}', "left-to-right mark"),
    ('\u{200F}', "right-to-left mark"),
    ('\u{2028}', "line separator"),
    ('\u{2029}', "paragraph separator"),
    ('\u{202D}', "left-to-right override"),
    ('\u{202E}', "right-to-left override"),
    ('\u{202F}', "narrow no-break space"),
    ('\u{205F}', "medium mathematical space"),
    ('\u{2060}', "word joiner"),
    ('\u{3000}', "ideographic space"),
    ('\u{FEFF}', "byte order mark"),
    ('\u{FFFD}', "replacement character"),
];

/// Characters that change how a line is shown, or end it for some tools.
pub(super) fn is_forbidden(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

/// Whether it is shown as a space, without being one of the language.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace()
}

/// Whether it is shown as nothing, or only together with the character before it.
pub(super) fn is_invisible(character: char) -> bool {
    // What Rust escapes in text for debugging: format characters, marks that combine, unassigned code points.
    character.escape_debug().len() > 1
}

/// `U+00A0 no-break space`, or the code point alone.
pub(super) fn named(character: char) -> String {
    let point = format!("U+{:04X}", u32::from(character));
    match NAMES.iter().find(|(known, _)| *known == character) {
        Some((_, name)) => format!("{point} {name}"),
        None => point,
    }
}
