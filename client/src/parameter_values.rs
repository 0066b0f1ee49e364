//! Values of query parameters, as they are written: each is read by one function, or refused with what it is
//! not.

use crate::{RangeBound, RangeBoundError, ServingError};

/// Query parameters, decoded.
pub type Parameters = Vec<(String, String)>;

pub(crate) fn bound(name: &str, text: &str) -> Result<RangeBound, ServingError> {
    text.parse().map_err(|problem: RangeBoundError| invalid(name, text, &problem.to_string()))
}

pub(crate) fn frontier(name: &str, text: &str) -> Result<Vec<u64>, ServingError> {
    let offsets: Result<Vec<u64>, _> = text.split(',').map(|offset| offset.trim().parse()).collect();
    offsets.map_err(|_| invalid(name, text, "not a frontier: write one offset per partition, as in `120,7`"))
}

pub(crate) fn limit(name: &str, text: &str) -> Result<u64, ServingError> {
    text.parse()
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or_else(|| invalid(name, text, "not a number of rows, from 1 on"))
}

pub(crate) fn boolean(name: &str, text: &str) -> Result<bool, ServingError> {
    match text {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, text, "neither `true` nor `false`")),
    }
}

pub(crate) fn invalid(name: &str, text: &str, problem: &str) -> ServingError {
    ServingError::Request(format!("`{name}={text}` is {problem}"))
}
