//! Which rows of a metric are wanted, and in which order: of `run` and of `query` alike.

use clap::Args;
use metricc_client::{ReadRequest, ServingError, add_condition, names};

use super::RangeArguments;

/// Conditions, keys and order of rows.
#[derive(Debug, Args)]
pub(crate) struct RowArguments {
    /// Only rows with this value of a key; repeated with other values, one of them. `NAME.from=VALUE` (at
    /// least), `NAME.to=VALUE` (less than), `NAME.prefix=TEXT` and `NAME.not=VALUE` select more than one;
    /// `NAME=null` are rows without a value, which tables show as `none`
    #[arg(long = "key", value_name = "NAME=VALUE", value_parser = parse_condition)]
    pub(crate) keys: Vec<(String, String)>,
    /// The keys of the rows, in this order; the states of the others are merged, so rows are those of a
    /// metric with these keys alone. `--by ''` merges all keys
    #[arg(long, value_name = "NAME,…")]
    pub(crate) by: Option<String>,
    /// Only rows with this value, as of `--key`; the value of a metric with one value is `value`
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_condition)]
    pub(crate) having: Vec<(String, String)>,
    /// Order rows by values, keys or `window_start`; `-NAME` descends [default: by window, then keys]
    #[arg(long, value_name = "NAME,…", allow_hyphen_values = true)]
    pub(crate) order: Option<String>,
    /// At most so many rows of each window: the first ones in the order
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) per_window: Option<u64>,
    /// Keys that are rolled up beside the rows: the last of them, the last two, up to all of them. The column
    /// `rolled_up` names them where a row is a total
    #[arg(long, value_name = "NAME,…")]
    pub(crate) totals: Option<String>,
    /// The share of these values in the total of their window, as `NAME_share`; `NAME:KEY` is the share in
    /// the total of a key
    #[arg(long, value_name = "NAME,…")]
    pub(crate) share: Option<String>,
    /// The values so many windows before as well, as `NAME_previous`, `NAME_difference` and `NAME_ratio`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) compare: Option<u64>,
    /// Also rows for windows without events, with the value of no events: those of the range, for each of the
    /// keys that the answer has
    #[arg(long, conflicts_with = "latest")]
    pub(crate) fill: bool,
    /// Only the latest window
    #[arg(long)]
    pub(crate) latest: bool,
}

impl RowArguments {
    /// The request for these rows of a metric.
    pub(crate) fn request(&self, metric: &str, range: &RangeArguments) -> Result<ReadRequest, ServingError> {
        let mut request = ReadRequest {
            metric: metric.to_owned(),
            from: range.from,
            to: range.to,
            grain: range.grain.clone(),
            order: self.order.as_deref().map(names).unwrap_or_default(),
            by: self.by.as_deref().map(names),
            per_window: self.per_window,
            totals: self.totals.as_deref().map(names).unwrap_or_default(),
            share: self.share.as_deref().map(names).unwrap_or_default(),
            compare: self.compare,
            latest: self.latest,
            fill: self.fill,
            ..ReadRequest::default()
        };
        for (name, value) in &self.keys {
            add_condition(&mut request.keys, name, value)?;
        }
        for (name, value) in &self.having {
            add_condition(&mut request.having, name, value)?;
        }
        Ok(request)
    }
}

fn parse_condition(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| "not of the form NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
