//! Passwords, which no message and no `Debug` shows.

use std::fmt;

/// A password, or a header that proves who sends a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
