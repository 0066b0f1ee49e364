//! Parameters that are given twice: which of the two values counts would depend on who reads them.

use std::collections::BTreeSet;

use crate::{Parameters, ServingError};

/// Checks that no parameter is given twice, but for some: which of two values counts is not known.
///
/// # Errors
/// [`ServingError::Request`] with the name of the parameter.
pub fn once(parameters: &Parameters, repeated: &[&str]) -> Result<(), ServingError> {
    let mut seen = BTreeSet::new();
    let twice = parameters.iter().find(|(name, _)| !repeated.contains(&name.as_str()) && !seen.insert(name));
    match twice {
        None => Ok(()),
        Some((name, _)) => {
            Err(ServingError::Request(format!("the parameter `{name}` is given twice: send it once")))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ReadRequest;

    #[test]
    fn a_parameter_is_given_once_and_metrics_any_number_of_times() {
        let pairs = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        let twice = |names: &[&str]| {
            ReadRequest::of_parameters("m".to_owned(), pairs(names)).expect_err("twice").to_string()
        };
        assert_eq!(twice(&["at", "key.a", "at"]), "the parameter `at` is given twice: send it once");
        assert_eq!(twice(&["key.a", "key.a"]), "the parameter `key.a` is given twice: send it once");
        assert!(ReadRequest::several_of_parameters(pairs(&["metric", "metric", "at"])).is_ok());
        assert!(ReadRequest::several_of_parameters(pairs(&["metric", "at", "at"])).is_err());
    }
}
