//! What a request wants beside the rows and values of a metric, resolved against the type of the rows:
//! totals, shares of them, and the values of earlier windows.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use metricc_client::{ReadRequest, ServingError};
use metricc_compiler::{CompileError, OfTwoValues};
use metricc_ir::{OutputType, RowType, Type, Window};

use crate::overflow::{self, Overflow};
use crate::present::Outputs;

/// Totals, shares, and values of earlier windows.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// The names of the keys that are rolled up, and their indices in a row, in the order of the request.
    pub(crate) total_names: Vec<String>,
    totals: Vec<usize>,
    pub(crate) shares: Vec<Share>,
    pub(crate) earlier: Option<Earlier>,
    n_keys: usize,
}

/// A value as a part of the total in its window.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) output: usize,
    /// The keys within which the total is: indices in a row.
    within: Vec<usize>,
    ratio: OfTwoValues,
}

/// Values of earlier windows.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// How many windows before that of the row.
    pub(crate) n_windows: i64,
    /// For each output of the metric, difference and ratio, where its type has them.
    changes: Vec<[Option<OfTwoValues>; 2]>,
}

impl Beside {
    /// # Errors
    /// [`ServingError::Request`] for what the rows do not have.
    pub(crate) fn new(row_type: &RowType, request: &ReadRequest) -> Result<Self, ServingError> {
        let is_asked = !request.totals.is_empty() || !request.share.is_empty() || request.compare.is_some();
        if is_asked && matches!(row_type.window, Window::Session { .. }) {
            let problem = format!(
                "metric `{}` has sessions, each of its own keys and times: there are no totals, shares or earlier windows \
                 of them; a metric with `every` has them",
                row_type.name
            );
            return Err(ServingError::Request(problem));
        }
        let mut totals = Vec::with_capacity(request.totals.len());
        for name in &request.totals {
            let key = key_of_rows(row_type, "totals", name)?;
            if totals.contains(&key) {
                return Err(ServingError::Request(format!("`totals` names the key `{name}` twice")));
            }
            totals.push(key);
        }
        let shares = request.share.iter().map(|text| Share::new(row_type, text));
        let shares = shares.collect::<Result<_, _>>()?;
        let earlier = request.compare.map(|n| Earlier::new(row_type, n)).transpose()?;
        let total_names = request.totals.clone();
        let beside = Beside { total_names, totals, shares, earlier, n_keys: row_type.keys.len() };
        beside.check_names(row_type)?;
        Ok(beside)
    }

    /// Whether it adds nothing.
    pub(crate) fn is_none(&self) -> bool {
        self.totals.is_empty() && self.shares.is_empty() && self.earlier.is_none()
    }

    /// The keys of rows in which so many are rolled up: indices in a row.
    pub(crate) fn keys_of_level(&self, n_rolled_up: usize) -> Vec<usize> {
        let rolled_up = &self.totals[self.totals.len() - n_rolled_up..];
        (0..self.n_keys).filter(|key| !rolled_up.contains(key)).collect()
    }

    pub(crate) fn n_levels(&self) -> usize {
        self.totals.len() + 1
    }

    /// The type of rows with all values.
    pub(crate) fn row_type(&self, of_rows: &RowType) -> RowType {
        let mut row_type = of_rows.clone();
        row_type.outputs.extend(self.outputs(of_rows));
        row_type
    }

    /// How many values it adds to those of rows.
    pub(crate) fn n_outputs(&self, of_rows: &RowType) -> usize {
        self.outputs(of_rows).len()
    }

    fn outputs(&self, of_rows: &RowType) -> Vec<OutputType> {
        let mut outputs = Vec::new();
        let mut add = |of: &str, what: &str, ty: &Type| {
            let ty = Type { kind: ty.kind.clone(), optional: true };
            outputs.push(OutputType { name: Some(format!("{of}_{what}")), ty, error_ppm: None });
        };
        if let Some(earlier) = &self.earlier {
            let names = of_rows.output_names().zip(&of_rows.outputs).zip(&earlier.changes);
            for ((name, output), changes) in names {
                add(name, "previous", &output.ty);
                for (what, change) in ["difference", "ratio"].into_iter().zip(changes) {
                    change.iter().for_each(|change| add(name, what, &change.expr.ty));
                }
            }
        }
        let names: Vec<&str> = of_rows.output_names().collect();
        self.shares.iter().for_each(|share| add(names[share.output], "share", &share.ratio.expr.ty));
        outputs
    }

    /// Values are found by their names.
    fn check_names(&self, row_type: &RowType) -> Result<(), ServingError> {
        let mut known: Vec<&str> =
            row_type.output_names().chain(row_type.keys.iter().map(|key| &key.name[..])).collect();
        let added = self.outputs(row_type);
        for output in &added {
            let name = output.name.as_deref().unwrap_or_default();
            if known.contains(&name) {
                let problem = format!(
                    "the rows of `{}` have `{name}` already: a question that adds it needs another name there",
                    row_type.name
                );
                return Err(ServingError::Request(problem));
            }
            known.push(name);
        }
        Ok(())
    }
}

impl Share {
    /// `OUTPUT`, or `OUTPUT:KEY` with the keys within which the total is.
    fn new(row_type: &RowType, text: &str) -> Result<Self, ServingError> {
        let mut parts = text.split(':').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let Some(output) = row_type.output_names().position(|output| output == name) else {
            let known: Vec<String> = row_type.output_names().map(|name| format!("`{name}`")).collect();
            let problem =
                format!("metric `{}` has no value `{name}`; it has {}", row_type.name, known.join(", "));
            return Err(ServingError::Request(problem));
        };
        let within = parts.map(|key| key_of_rows(row_type, "share", key)).collect::<Result<_, _>>()?;
        let ty = &row_type.outputs[output].ty;
        let ratio = OfTwoValues::ratio(&ty.kind).map_err(|error| ServingError::Failed(error.into()))?;
        let no_share = || {
            ServingError::Request(format!(
                "the value `{name}`, which is `{ty}`, has no share: only numbers have"
            ))
        };
        Ok(Share { output, within, ratio: ratio.ok_or_else(no_share)? })
    }

    /// The keys of the total, for rows with some keys.
    pub(crate) fn keys_of_total(&self, of_rows: &[usize]) -> Vec<usize> {
        of_rows.iter().copied().filter(|key| self.within.contains(key)).collect()
    }

    /// The column, from values and those of their totals.
    pub(crate) fn of(&self, values: &Values, totals: &Values) -> Result<Values, CompileError> {
        values.with(totals, &self.ratio)
    }
}

impl Earlier {
    fn new(row_type: &RowType, n_windows: u64) -> Result<Self, ServingError> {
        if row_type.window == Window::AllTime {
            let problem = format!(
                "metric `{}` has one row of all time for its keys: `compare` is of windows that follow each other, so \
                 choose a metric or a `grain` that has them",
                row_type.name
            );
            return Err(ServingError::Request(problem));
        }
        let changes = |output: &OutputType| -> Result<_, CompileError> {
            Ok([OfTwoValues::difference(&output.ty.kind)?, OfTwoValues::ratio(&output.ty.kind)?])
        };
        let changes = row_type.outputs.iter().map(changes).collect::<Result<_, _>>();
        let changes = changes.map_err(|error: CompileError| ServingError::Failed(error.into()))?;
        Ok(Earlier { n_windows: i64::try_from(n_windows).unwrap_or(i64::MAX), changes })
    }

    /// The values of a metric, followed by those of earlier windows and the changes.
    pub(crate) fn of(&self, values: Vec<Values>, earlier: Vec<Values>) -> Result<Outputs, CompileError> {
        let mut beside = Vec::new();
        for ((value, earlier), changes) in values.iter().zip(earlier).zip(&self.changes) {
            let changes = changes.iter().flatten().map(|change| value.with(&earlier, change));
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            beside.push(earlier);
            beside.extend(changes);
        }
        Ok(values.into_iter().chain(beside).map(|values| (values.column, values.lost)).unzip())
    }
}

/// A column of values, and where they depend on what could not be computed.
pub(crate) struct Values {
    pub(crate) column: ArrayRef,
    pub(crate) lost: Option<Overflow>,
}

impl Values {
    /// The values of some rows, and that of no events where there is no row.
    pub(crate) fn taken(
        column: &ArrayRef,
        lost: &Option<Overflow>,
        identity: &ArrayRef,
        rows: impl Iterator<Item = Option<u32>>,
    ) -> Result<Self, CompileError> {
        let failed = |error| CompileError::engine("values beside", error);
        let missing = u32::try_from(column.len()).unwrap_or(u32::MAX);
        let rows = UInt32Array::from_iter_values(rows.map(|row| row.unwrap_or(missing)));
        let both = concat(&[column.as_ref(), identity.as_ref()]).map_err(failed)?;
        let column = take(&both, &rows, None).map_err(failed)?;
        Ok(Values { column, lost: overflow::taken(lost, &rows).map_err(failed)? })
    }

    fn with(&self, other: &Values, function: &OfTwoValues) -> Result<Values, CompileError> {
        let column = function.evaluate(&self.column, &other.column)?;
        let lost = overflow::of_output(&function.expr, &[self.lost.clone(), other.lost.clone()]);
        Ok(Values { column, lost })
    }
}

fn key_of_rows(row_type: &RowType, parameter: &str, name: &str) -> Result<usize, ServingError> {
    let index = row_type.keys.iter().position(|key| key.name == name);
    index.ok_or_else(|| {
        let known: Vec<String> = row_type.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let problem = format!(
            "`{parameter}`: the rows of `{}` have no key `{name}`; they have {known}, and `by` chooses others",
            row_type.name
        );
        ServingError::Request(problem)
    })
}
