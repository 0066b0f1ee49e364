//! Escapes in JSON strings: all of them are checked, also in what is skipped.

/// Appends a string without its escapes.
pub(crate) fn unescape(inner: &str, out: &mut String) -> Result<(), &'static str> {
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (character, after) = escape(&rest[at + 1..])?;
        out.push(character);
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

/// The character of an escape, without its backslash, and the text after it.
fn escape(text: &str) -> Result<(char, &str), &'static str> {
    let unknown = "an escape that JSON does not have";
    let (name, rest) = text.split_at_checked(1).ok_or(unknown)?;
    let character = match name {
        "\"" => '"',
        "\\" => '\\',
        "/" => '/',
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return unicode_escape(rest),
        _ => return Err(unknown),
    };
    Ok((character, rest))
}

fn unicode_escape(text: &str) -> Result<(char, &str), &'static str> {
    let lone = "half of a surrogate pair: this is no Unicode text";
    let (first, rest) = hex(text)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, rest));
    }
    let (second, rest) = hex(rest.strip_prefix("\\u").ok_or(lone)?)?;
    match (first, second) {
        (0xd800..0xdc00, 0xdc00..0xe000) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(code).map(|character| (character, rest)).ok_or(lone)
        }
        _ => Err(lone),
    }
}

fn hex(text: &str) -> Result<(u32, &str), &'static str> {
    let problem = "a `\\u` without four hexadecimal digits";
    let (digits, rest) = text.split_at_checked(4).ok_or(problem)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(problem);
    }
    Ok((u32::from_str_radix(digits, 16).map_err(|_| problem)?, rest))
}
