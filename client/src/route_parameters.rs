//! The query parameters of a route, checked by the table of routes: each is one of its own, is given once,
//! and has a value of its kind.

use std::collections::BTreeSet;

use crate::ServingError;
use crate::parameter_values::{Parameters, boolean, frontier, invalid};
use crate::wire::{
    Endpoint, PARAMETERS, ParameterOf, ParameterSpec, ParameterValue, ROUTES, Route, RouteParameters,
};

impl Route {
    /// The specification of a parameter; `None` if the route has no such parameter, or it is a key.
    fn parameter(&self, name: &str) -> Option<&'static ParameterSpec> {
        match self.parameters {
            RouteParameters::Reads(of) => {
                PARAMETERS.iter().find(|spec| spec.name == name && of.contains(&spec.of))
            }
            RouteParameters::Own(all) => all.iter().find(|spec| spec.name == name),
        }
    }

    /// Checks the parameters of a request.
    ///
    /// # Errors
    /// [`ServingError::Request`] for one that is unknown, given twice, or not of its kind.
    pub fn check_query(&self, parameters: &Parameters) -> Result<(), ServingError> {
        let is_read = matches!(self.parameters, RouteParameters::Reads(_));
        let mut seen = BTreeSet::new();
        for (name, text) in parameters {
            let spec = self.parameter(name);
            // Which of them may be repeated is known where they are read.
            let is_condition = is_read && self.has_condition(name);
            if spec.is_none() && !is_condition {
                return Err(self.unknown(name, text));
            }
            let may_repeat = is_condition || spec.is_some_and(|spec| spec.of == ParameterOf::Several);
            if !seen.insert(name) && !may_repeat {
                let problem = format!("the parameter `{name}` is given twice: send it once");
                return Err(ServingError::Request(problem));
            }
        }
        let own = parameters.iter().filter_map(|(name, text)| Some((name, text, self.parameter(name)?)));
        let mut own =
            own.filter(|(_, _, spec)| matches!(spec.of, ParameterOf::Route | ParameterOf::Question));
        own.try_for_each(|(name, text, spec)| check_value(name, text, spec.value))
    }

    /// Whether a parameter is a condition on a key, or on a value of one metric.
    fn has_condition(&self, name: &str) -> bool {
        let of_one = matches!(self.parameters, RouteParameters::Reads(of) if of.contains(&ParameterOf::Rows));
        name.starts_with("key.") || (of_one && name.starts_with("having."))
    }

    fn unknown(&self, name: &str, text: &str) -> ServingError {
        let names = |all: &mut dyn Iterator<Item = &'static ParameterSpec>| {
            all.map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ")
        };
        let help = match self.parameters {
            RouteParameters::Reads(of) => {
                let known = names(&mut PARAMETERS.iter().filter(|spec| of.contains(&spec.of)));
                let several = if of.contains(&ParameterOf::Several) {
                    "; a hash is given as `metric=NAME@HASH`"
                } else {
                    ""
                };
                let conditions =
                    if self.has_condition("having.") { "`key.NAME`, `having.NAME`" } else { "`key.NAME`" };
                format!("the parameters are {conditions}, {known}{several}{}", key_hint(name, text))
            }
            RouteParameters::Own([]) => format!("`{}` has none", self.path),
            RouteParameters::Own(all) => format!("the parameters are {}", names(&mut all.iter())),
        };
        ServingError::Request(format!("there is no parameter `{name}`: {help}"))
    }
}

/// What is no misspelled parameter may be a key.
fn key_hint(name: &str, text: &str) -> String {
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_alike = PARAMETERS.iter().any(|spec| spec.name.starts_with(name) || name.starts_with(spec.name));
    match is_name && !is_alike {
        true => format!("; if `{name}` is a key, write `key.{name}={text}`"),
        false => String::new(),
    }
}

fn check_value(name: &str, text: &str, value: ParameterValue) -> Result<(), ServingError> {
    match value {
        ParameterValue::Bool => boolean(name, text).map(drop),
        ParameterValue::Frontier => frontier(name, text).map(drop),
        ParameterValue::Number => number(name, text).map(drop),
        _ => Ok(()),
    }
}

fn number(name: &str, text: &str) -> Result<u64, ServingError> {
    text.parse().map_err(|_| invalid(name, text, "not a number, from 0 on"))
}

/// Checks the parameters of a request for the route of an endpoint.
pub(crate) fn check(parameters: &Parameters, of: Endpoint) -> Result<(), ServingError> {
    let route = ROUTES.iter().find(|route| route.endpoint == of);
    route.map_or(Ok(()), |route| route.check_query(parameters))
}

/// The values of parameters that were checked.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a>(pub &'a Parameters);

impl<'a> Given<'a> {
    /// A text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, text)| text.as_str())
    }

    /// A number.
    ///
    /// # Errors
    /// [`ServingError::Request`] if it is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ServingError> {
        self.text(name).map(|text| number(name, text)).transpose()
    }

    /// Whether something is asked for.
    ///
    /// # Errors
    /// [`ServingError::Request`] if it is neither.
    pub fn flag(&self, name: &str) -> Result<bool, ServingError> {
        self.text(name).map_or(Ok(false), |text| boolean(name, text))
    }

    /// Offsets.
    ///
    /// # Errors
    /// [`ServingError::Request`] if it is no frontier.
    pub fn frontier(&self, name: &str) -> Result<Option<Vec<u64>>, ServingError> {
        self.text(name).map(|text| frontier(name, text)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadRequest;

    #[test]
    fn a_parameter_is_given_once_and_metrics_any_number_of_times() {
        let pairs = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect();
        let twice = |names: &[&str]| {
            ReadRequest::of_parameters("m".to_owned(), pairs(names)).expect_err("twice").to_string()
        };
        assert_eq!(twice(&["at", "key.a", "at"]), "the parameter `at` is given twice: send it once");
        assert!(ReadRequest::several_of_parameters(pairs(&["metric", "metric", "at"])).is_ok());
        assert!(ReadRequest::several_of_parameters(pairs(&["metric", "at", "at"])).is_err());
    }

    #[test]
    fn every_route_refuses_what_it_does_not_know() {
        for route in ROUTES {
            let check = |name: &str, text: &str| route.check_query(&vec![(name.to_owned(), text.to_owned())]);
            assert!(check("unknown", "1").is_err(), "{}", route.path);
            let is_read = matches!(route.parameters, RouteParameters::Reads(_));
            assert_eq!(check("key.a", "1").is_ok(), is_read, "{}", route.path);
            if let RouteParameters::Own(all) = route.parameters {
                for spec in all {
                    let text = match spec.value {
                        ParameterValue::Bool => "true",
                        _ => "1",
                    };
                    assert!(check(spec.name, text).is_ok(), "{}", spec.name);
                    let is_text = spec.value == ParameterValue::Text;
                    assert_eq!(check(spec.name, "x").is_ok(), is_text, "{}", spec.name);
                }
            }
        }
    }
}
