//! The query parameters of a read, written and read back by the same table.
//!
//! | parameter | of |
//! |---|---|
//! | `key.NAME=VALUE` | [`ReadRequest::keys`]; repeated, one of several values |
//! | `key.NAME.from`, `.to`, `.prefix`, `.not` | a range of them, texts that begin so, and all but a value |
//! | `by=NAME,NAME` | [`ReadRequest::by`]; without a name, no key |
//! | `having.NAME=VALUE` | [`ReadRequest::having`], as keys; of one metric |
//! | `order=-NAME,NAME`, `per_window=3` | [`ReadRequest::order`], [`ReadRequest::per_window`]; of one metric |
//! | `totals=NAME,NAME`, `compare=1` | [`ReadRequest::totals`], [`ReadRequest::compare`] |
//! | `share=NAME,NAME:KEY` | [`ReadRequest::share`], of one metric |
//! | `from=BOUND`, `to=BOUND` | [`RangeBound`]: a date, as `2026-04-25`, or RFC 3339, as `2026-04-25T00:00:00Z` |
//! | `grain=WINDOW` | as in the language: `6h`, `day in Europe/London`, `week in us_east`, `all` |
//! | `latest=true`, `fill=true`, `receipt=true` | `true`, `false`; without a value it is `true` |
//! | `at=120,7`, `min_frontier=120,7` | one offset per partition |
//! | `epoch=EPOCH` | the epoch that these are of |
//! | `hash=HASH` | of one metric |
//! | `metric=NAME`, `metric=NAME@HASH` | of several metrics: one for each |
//! | `format=csv` | [`Format`], of one metric |
//! | `limit=1000`, `cursor=TEXT` | a page of the rows of one metric |
//! `VALUE` is text and is taken literally, so `key.version=1.10` loses no digit and `key.active=true` is a
//! bool where the key is one. There are three exceptions: `null` is the group without a value, a JSON string
//! stands for its content, so `"null"` in quotes is that text, and a JSON array or object is a condition as
//! [`ReadRequest::keys`] has it.

use serde_json::Value;

use crate::conditions::add_condition;
use crate::error::offsets;
use crate::parameter_values::{Parameters, boolean, bound, frontier, invalid, limit};
use crate::route_parameters::check;
use crate::wire::Endpoint;
use crate::{ReadRequest, ServingError};

/// Encoding of the rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object with the rows in it.
    Json,
    /// CSV with a header.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Json, Format::Csv, Format::Arrow];

    /// Its name, as in `format=csv`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Arrow => "arrow",
        }
    }

    /// Its media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    fn parse(name: &str) -> Result<Format, ServingError> {
        let known = Format::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| invalid("format", name, "not a format: `json`, `csv` or `arrow`"))
    }
}

/// The header of each of an answer's notes ([`Served::notes`](crate::Served::notes)) where the body has rows
/// alone.
pub const NOTE_HEADER: &str = "metricc-note";

impl ReadRequest {
    /// The request for one metric: its name stands in the path, the rest in the parameters. The format is
    /// `None` if they do not name one.
    ///
    /// # Errors
    /// [`ServingError::Request`] for an unknown parameter or an invalid value.
    pub fn of_parameters(
        metric: String,
        parameters: Parameters,
    ) -> Result<(Self, Option<Format>), ServingError> {
        let mut request = ReadRequest { metric, ..ReadRequest::default() };
        let mut format = None;
        check(&parameters, Endpoint::Metric)?;
        for (name, text) in parameters {
            match name.as_str() {
                "hash" => request.hash = Some(text),
                "format" => format = Some(Format::parse(&text)?),
                "limit" => request.limit = Some(limit(&name, &text)?),
                "cursor" => request.cursor = Some(text),
                "order" => request.order = names(&text),
                "share" => request.share = names(&text),
                "per_window" => request.per_window = Some(limit(&name, &text)?),
                _ if let Some(output) = name.strip_prefix("having.") => {
                    add_condition(&mut request.having, output, &text)?;
                }
                _ if request.set(&name, &text)? => {}
                _ => return Err(unknown(&name)),
            }
        }
        Ok((request, format))
    }

    /// The requests for several metrics, which differ in nothing else.
    ///
    /// # Errors
    /// [`ServingError::Request`] for an unknown parameter, an invalid value, or no metric at all.
    pub fn several_of_parameters(parameters: Parameters) -> Result<Vec<Self>, ServingError> {
        let mut common = ReadRequest::default();
        let mut metrics = Vec::new();
        check(&parameters, Endpoint::Read)?;
        for (name, text) in parameters {
            match name.as_str() {
                "metric" => metrics.push(match text.split_once('@') {
                    Some((name, hash)) => (name.to_owned(), Some(hash.to_owned())),
                    None => (text, None),
                }),
                _ if common.set(&name, &text)? => {}
                _ => return Err(unknown(&name)),
            }
        }
        if metrics.is_empty() {
            let problem =
                "no `metric` is given: name at least one, as in `/v1/read?metric=revenue&metric=users`";
            return Err(ServingError::Request(problem.to_owned()));
        }
        let request = |(metric, hash)| ReadRequest { metric, hash, ..common.clone() };
        Ok(metrics.into_iter().map(request).collect())
    }

    /// Sets a parameter that reads of one and of several metrics share; `false` if there is no such
    /// parameter.
    fn set(&mut self, name: &str, text: &str) -> Result<bool, ServingError> {
        match name {
            "from" => self.from = Some(bound(name, text)?),
            "to" => self.to = Some(bound(name, text)?),
            "grain" => self.grain = Some(text.to_owned()),
            "latest" => self.latest = boolean(name, text)?,
            "fill" => self.fill = boolean(name, text)?,
            "receipt" => self.receipt = boolean(name, text)?,
            "at" => self.at = Some(frontier(name, text)?),
            "min_frontier" => self.min_frontier = Some(frontier(name, text)?),
            "epoch" => self.epoch = Some(text.to_owned()),
            "by" => self.by = Some(names(text)),
            "totals" => self.totals = names(text),
            "compare" => self.compare = Some(limit(name, text)?),
            _ => match name.strip_prefix("key.") {
                Some(key) => add_condition(&mut self.keys, key, text)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// The parameters of a request for this metric.
    pub fn parameters(&self) -> Parameters {
        let mut parameters = self.common_parameters();
        let own = [
            ("hash", self.hash.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
            ("order", (!self.order.is_empty()).then(|| self.order.join(","))),
            ("per_window", self.per_window.map(|most| most.to_string())),
            ("share", (!self.share.is_empty()).then(|| self.share.join(","))),
        ];
        parameters.extend(own.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
        let having = self.having.iter().map(|(name, value)| (format!("having.{name}"), value.to_string()));
        parameters.extend(having);
        parameters
    }

    /// The parameters of one request for several metrics; `None` if the requests differ in more than the
    /// metric.
    pub fn several_parameters(requests: &[ReadRequest]) -> Option<Parameters> {
        let (first, others) = requests.split_first()?;
        let is_alike = |other: &ReadRequest| {
            let (metric, hash) = (first.metric.clone(), first.hash.clone());
            ReadRequest { metric, hash, ..other.clone() } == *first
        };
        let is_page = first.limit.is_some() || first.cursor.is_some();
        let is_ordered = !first.order.is_empty() || !first.having.is_empty() || first.per_window.is_some();
        let is_of_one = is_page || is_ordered || !first.share.is_empty();
        if is_of_one || !others.iter().all(is_alike) {
            return None;
        }
        let named = |request: &ReadRequest| match &request.hash {
            Some(hash) => format!("{}@{hash}", request.metric),
            None => request.metric.clone(),
        };
        let metrics = requests.iter().map(|request| ("metric".to_owned(), named(request)));
        Some(metrics.chain(first.common_parameters()).collect())
    }

    fn common_parameters(&self) -> Parameters {
        let keys = self.keys.iter().map(|(name, value)| (format!("key.{name}"), value.to_string()));
        let mut parameters: Parameters = keys.collect();
        let mut add = |name: &str, text: Option<String>| {
            parameters.extend(text.map(|text| (name.to_owned(), text)));
        };
        add("from", self.from.map(|bound| bound.to_string()));
        add("to", self.to.map(|bound| bound.to_string()));
        add("grain", self.grain.clone());
        add("by", self.by.as_ref().map(|by| by.join(",")));
        add("totals", (!self.totals.is_empty()).then(|| self.totals.join(",")));
        add("compare", self.compare.map(|n| n.to_string()));
        add("at", self.at.as_deref().map(offsets));
        add("min_frontier", self.min_frontier.as_deref().map(offsets));
        add("epoch", self.epoch.clone());
        add("fill", self.fill.then(|| "true".to_owned()));
        add("latest", self.latest.then(|| "true".to_owned()));
        add("receipt", self.receipt.then(|| "true".to_owned()));
        parameters
    }
}

/// Names, with commas between them.
pub fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The value of a key, from its text in a parameter or on the command line.
pub fn key_value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn unknown(name: &str) -> ServingError {
    ServingError::Request(format!("there is no parameter `{name}`"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::RangeBound;
    use jiff::civil::Date;
    use jiff::{Timestamp, ToSpan};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn bounds() -> impl Strategy<Value = Option<RangeBound>> {
        let instants = Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond();
        let instant = |n| RangeBound::Instant(Timestamp::from_nanosecond(n).expect("in range"));
        let date = |n_days: i64| RangeBound::Date(Date::MIN + n_days.days());
        proptest::option::of(prop_oneof![instants.prop_map(instant), (0..7_304_484_i64).prop_map(date)])
    }

    fn key_values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::from),
            prop::sample::select(vec!["null", "true", "7", "1.10", "\"a\"", "[1]", "{", ""])
                .prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!([1])),
        ]
    }

    prop_compose! {
        fn requests()(
            metric in "[a-z_]{1,8}",
            hash in proptest::option::of("[0-9a-f]{1,8}"),
            keys in prop::collection::btree_map(any::<String>(), key_values(), 0..4),
            (from, to) in (bounds(), bounds()),
            grain in proptest::option::of(any::<String>()),
            at in proptest::option::of(prop::collection::vec(any::<u64>(), 1..4)),
            min_frontier in proptest::option::of(prop::collection::vec(any::<u64>(), 1..4)),
            (latest, receipt, fill) in any::<(bool, bool, bool)>(),
            epoch in proptest::option::of("[0-9a-f]{1,8}"),
            by in proptest::option::of(prop::collection::vec("[a-z_]{1,8}", 0..3)),
            having in prop::collection::btree_map("[a-z_]{1,8}", key_values(), 0..3),
            order in prop::collection::vec("-?[a-z_]{1,8}", 0..3),
            (per_window, compare) in
                (proptest::option::of(1..=u64::MAX), proptest::option::of(1..=u64::MAX)),
            (totals, share) in
                (prop::collection::vec("[a-z_]{1,8}", 0..3), prop::collection::vec("[a-z_]{1,8}(:[a-z]{1,8})?", 0..3)),
            limit in proptest::option::of(1..=u64::MAX),
            cursor in proptest::option::of(any::<String>()),
        ) -> ReadRequest {
            ReadRequest {
                metric, hash, keys, from, to, grain, latest, at, min_frontier, epoch, receipt, limit, cursor,
                by, having, order, per_window, fill, totals, share, compare,
            }
        }
    }

    /// A number or a bool is sent as its text, which means the same to every key.
    fn sent(request: ReadRequest) -> ReadRequest {
        let as_text = |value: Value| match value {
            Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
            value => value,
        };
        let sent = |conditions: BTreeMap<String, Value>| {
            conditions.into_iter().map(|(name, value)| (name, as_text(value))).collect()
        };
        ReadRequest { keys: sent(request.keys), having: sent(request.having), ..request }
    }

    proptest! {
        #[test]
        fn a_request_is_read_back_from_its_parameters(request in requests()) {
            let (read, format) = ReadRequest::of_parameters(request.metric.clone(), request.parameters()).unwrap();
            prop_assert_eq!(format, None);
            prop_assert_eq!(read, sent(request));
        }

        #[test]
        fn requests_for_several_metrics_are_read_back(
            common in requests(),
            named in prop::collection::vec(("[a-z_]{1,8}", proptest::option::of("[0-9a-f]{1,8}")), 1..4),
        ) {
            let (having, order, share) = (BTreeMap::new(), Vec::new(), Vec::new());
            let common =
                ReadRequest { limit: None, cursor: None, per_window: None, having, order, share, ..common };
            let request = |(metric, hash)| ReadRequest { metric, hash, ..common.clone() };
            let requests: Vec<ReadRequest> = named.into_iter().map(request).collect();
            let parameters = ReadRequest::several_parameters(&requests).expect("they are alike");
            let read = ReadRequest::several_of_parameters(parameters).unwrap();
            prop_assert_eq!(read, requests.into_iter().map(sent).collect::<Vec<_>>());
        }

        #[test]
        fn the_text_of_a_key_means_the_same_after_a_client_has_passed_it_on(text in any::<String>()) {
            let value = key_value(&text);
            prop_assert_eq!(key_value(&value.to_string()), value);
        }
    }

    #[test]
    fn requests_that_differ_are_not_one() {
        let one = ReadRequest { metric: "a".to_owned(), ..ReadRequest::default() };
        let other = ReadRequest { latest: true, ..one.clone() };
        assert_eq!(ReadRequest::several_parameters(&[one.clone(), other]), None);
        assert_eq!(ReadRequest::several_parameters(&[ReadRequest { limit: Some(3), ..one }]), None, "a page");
        assert_eq!(ReadRequest::several_parameters(&[]), None);
    }

    #[test]
    fn keys_are_text_but_for_null_and_quotes() {
        for (text, value) in [
            ("IN", json!("IN")),
            ("1.10", json!("1.10")),
            ("true", json!("true")),
            ("null", Value::Null),
            ("\"null\"", json!("null")),
            ("\"a", json!("\"a")),
            ("[1]", json!([1])),
            ("", json!("")),
        ] {
            assert_eq!(key_value(text), value, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_parameter_or_a_value_is_an_error_that_names_it() {
        let problem = |name: &str, text: &str| {
            let parameters = vec![(name.to_owned(), text.to_owned())];
            ReadRequest::of_parameters("m".to_owned(), parameters).expect_err(name).to_string()
        };
        for (name, text, expected) in [
            (
                "form",
                "2026-04-25T00:00:00Z",
                "there is no parameter `form`: the parameters are `key.NAME`, `having.NAME`, `from`",
            ),
            (
                "from",
                "yesterday",
                "`from=yesterday` is neither a date nor an instant: write it as `2026-04-25` or",
            ),
            (
                "to",
                "2026-04-25T10:00:00",
                "`to=2026-04-25T10:00:00` is a time without an offset: write it as",
            ),
            ("at", "1,x", "`at=1,x` is not a frontier: write one offset per partition, as in `120,7`"),
            ("min_frontier", "-1", "`min_frontier=-1` is not a frontier: write one offset per partition"),
            ("latest", "yes", "`latest=yes` is neither `true` nor `false`"),
            ("limit", "0", "`limit=0` is not a number of rows, from 1 on"),
            ("limit", "1e3", "`limit=1e3` is not a number of rows"),
            ("format", "xml", "`format=xml` is not a format: `json`, `csv` or `arrow`"),
            ("metric", "a", "there is no parameter `metric`"),
        ] {
            assert!(!problem(name, text).contains("is a key"), "{}", problem(name, text));
            assert!(problem(name, text).starts_with(expected), "{}", problem(name, text));
        }
        let key = problem("user_id", "u1");
        assert!(key.ends_with("; if `user_id` is a key, write `key.user_id=u1`"), "{key}");
        // A hash belongs to one metric.
        let parameters =
            [("metric", "a"), ("hash", "1f")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let problem = ReadRequest::several_of_parameters(parameters.into()).expect_err("a hash").to_string();
        assert!(
            problem.contains("there is no parameter `hash`") && problem.contains("NAME@HASH"),
            "{problem}"
        );
    }
}
