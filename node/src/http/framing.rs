//! Where the requests of a connection begin and end, and what their heads say of that.
//!
//! The library lets `Transfer-Encoding` win over a `Content-Length` beside it, and hides the latter. A proxy
//! may have let the other win, and taken the rest for another request; so a request with both is no request.
//! This reads the same bytes beside the library, and spoils the end of such a head, which the library then
//! refuses.

use std::mem;

/// Longest head, size line or trailer that is looked at; the library allows no longer head.
const MOST: usize = super::headers::MAX_HEADER_BYTES + (16 << 10);

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadFraming {
    /// It has both `Content-Length` and `Transfer-Encoding`.
    Both,
    /// It has a transfer encoding other than `chunked`.
    Encoding,
}

/// What comes next.
#[derive(Debug)]
enum Next {
    /// Lines of a head.
    Head(Vec<u8>),
    /// So many bytes of a body, after which a head comes.
    Body(u64),
    /// The line with the size of a chunk.
    Size(Vec<u8>),
    /// So many bytes of a chunk, with its end.
    Chunk(u64),
    /// Lines after the last chunk.
    Trailer(Vec<u8>),
    /// Nothing that is understood: the library refuses it.
    Unknown,
}

/// The place in the requests of a connection.
#[derive(Debug)]
pub(super) struct Framing {
    next: Next,
}

impl Framing {
    pub(super) fn new() -> Self {
        Framing { next: Next::Head(Vec::new()) }
    }

    /// Looks at the next bytes, and spoils them where a head ends that is refused.
    pub(super) fn look(&mut self, bytes: &mut [u8]) -> Option<BadFraming> {
        let mut at = 0;
        while at < bytes.len() {
            let n_left = bytes.len() - at;
            match &mut self.next {
                Next::Unknown => return None,
                Next::Body(n) | Next::Chunk(n) => {
                    let n_taken = usize::try_from(*n).unwrap_or(usize::MAX).min(n_left);
                    *n -= n_taken as u64;
                    at += n_taken;
                    if *n == 0 {
                        let is_body = matches!(self.next, Next::Body(_));
                        self.next = if is_body { Next::Head(Vec::new()) } else { Next::Size(Vec::new()) };
                    }
                }
                Next::Head(line) | Next::Size(line) | Next::Trailer(line) => {
                    let rest = &bytes[at..];
                    let n_taken = rest.iter().position(|byte| *byte == b'\n').map_or(n_left, |end| end + 1);
                    line.extend_from_slice(&rest[..n_taken]);
                    at += n_taken;
                    if line.len() > MOST {
                        self.next = Next::Unknown;
                    } else if line.ends_with(b"\n")
                        && let Some(bad) = self.line_ended()
                    {
                        bytes[at - 1] = 0;
                        self.next = Next::Unknown;
                        return Some(bad);
                    }
                }
            }
        }
        None
    }

    /// Goes on after the end of a line.
    fn line_ended(&mut self) -> Option<BadFraming> {
        match mem::replace(&mut self.next, Next::Unknown) {
            Next::Head(lines) => {
                let is_end = lines.ends_with(b"\n\n") || lines.ends_with(b"\n\r\n");
                if lines.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                    // Empty lines before a request.
                    self.next = Next::Head(Vec::new());
                } else if is_end {
                    match after_head(&lines) {
                        Ok(next) => self.next = next,
                        Err(bad) => return Some(bad),
                    }
                } else {
                    self.next = Next::Head(lines);
                }
            }
            Next::Size(line) => {
                let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n')).next();
                let size = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                self.next = match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
                    Some(0) => Next::Trailer(Vec::new()),
                    Some(size) => size.checked_add(2).map_or(Next::Unknown, Next::Chunk),
                    None => Next::Unknown,
                };
            }
            Next::Trailer(line) => {
                let is_end = matches!(&line[..], b"\n" | b"\r\n");
                self.next = if is_end { Next::Head(Vec::new()) } else { Next::Trailer(Vec::new()) };
            }
            other => self.next = other,
        }
        None
    }
}

/// What comes after a head.
fn after_head(head: &[u8]) -> Result<Next, BadFraming> {
    let (mut length, mut encoding): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            length = Some(value.to_vec());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let all = encoding.get_or_insert_default();
            all.extend_from_slice(if all.is_empty() { b"" } else { b"," });
            all.extend_from_slice(value);
        }
    }
    match (length, encoding) {
        (Some(_), Some(_)) => Err(BadFraming::Both),
        (None, Some(encoding)) if encoding.eq_ignore_ascii_case(b"chunked") => Ok(Next::Size(Vec::new())),
        (None, Some(_)) => Err(BadFraming::Encoding),
        (Some(length), None) => {
            let length = std::str::from_utf8(&length).ok().and_then(|length| length.parse::<u64>().ok());
            Ok(match length {
                Some(0) => Next::Head(Vec::new()),
                Some(length) => Next::Body(length),
                None => Next::Unknown,
            })
        }
        (None, None) => Ok(Next::Head(Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at bytes in pieces of a length: what is found, and after how many bytes.
    fn find(text: &str, piece: usize) -> Option<(BadFraming, usize)> {
        let (mut framing, mut bytes, mut at) = (Framing::new(), text.as_bytes().to_vec(), 0);
        for part in bytes.chunks_mut(piece) {
            at += part.len();
            if let Some(bad) = framing.look(part) {
                return Some((bad, at));
            }
        }
        assert_eq!(bytes, text.as_bytes(), "what is not refused is not changed");
        None
    }

    #[test]
    fn a_head_with_two_lengths_is_found_after_any_requests_and_in_any_pieces() {
        let chunked = "POST / HTTP/1.1\r\ntransfer-Encoding:chunked\r\n\r\n3;a=b\r\n\n\r\n\r\n10\r\nContent-Length: \r\n0\r\nT: 1\r\n\r\n";
        let sized = "\r\nPOST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n\r\n\r\nGET /\r";
        let plain = "GET /\nHost: a\n\n";
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let before = format!("{chunked}{sized}{plain}{chunked}");
        for piece in [1, 2, 3, 7, 64, 4096] {
            assert_eq!(find(&before, piece), None, "{piece}");
            let (bad, at) = find(&format!("{before}{both}"), piece).expect("it is found");
            assert_eq!(bad, BadFraming::Both);
            let end = before.len() + both.len();
            assert!(at >= end && at < end + piece, "{piece}: {at}");
            for encoding in ["gzip", "gzip, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked", ""]
            {
                let text = format!("{before}POST / HTTP/1.1\r\nTransfer-Encoding: {encoding}\r\n\r\n");
                assert_eq!(find(&text, piece).map(|(bad, _)| bad), Some(BadFraming::Encoding), "{encoding}");
            }
        }
    }
}
