//! The functions of measures: the one that statements name, and the one that stands for it in plans.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, UInt32Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::metric_table::{NumberedRows, failed};

/// `MEASURE(output)`, `AGG(output)`, `AGGREGATE(output)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Measure {
    signature: Signature,
}

/// The names of [`Measure`], the first being the one that is shown.
pub(crate) const NAMES: [&str; 3] = ["measure", "agg", "aggregate"];

static OTHER_NAMES: LazyLock<[String; 2]> = LazyLock::new(|| [NAMES[1].to_owned(), NAMES[2].to_owned()]);

impl Measure {
    pub(crate) fn function() -> AggregateUDF {
        AggregateUDF::new_from_impl(Measure { signature: Signature::any(1, Volatility::Immutable) })
    }
}

impl AggregateUDFImpl for Measure {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn aliases(&self) -> &[String] {
        &*OTHER_NAMES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        arguments.first().cloned().ok_or_else(|| DataFusionError::Plan("MEASURE takes an output".to_owned()))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let problem = "MEASURE needs the rule that gives it a meaning: make the session with `metricc_sql::session_state`";
        Err(DataFusionError::Plan(problem.to_owned()))
    }
}

/// The output of merged rows, which are given by their numbers.
pub(crate) struct MergedOutput {
    pub(crate) rows: Arc<NumberedRows>,
    pub(crate) metric: String,
    pub(crate) output: usize,
    pub(crate) output_name: String,
    pub(crate) output_type: DataType,
    signature: Signature,
}

impl MergedOutput {
    pub(crate) fn new(
        rows: Arc<NumberedRows>,
        (metric, output, output_name): (String, usize, String),
        output_type: DataType,
    ) -> Self {
        let signature = Signature::exact(vec![DataType::UInt32], Volatility::Immutable);
        MergedOutput { rows, metric, output, output_name, output_type, signature }
    }

    fn merged(&self) -> Merged {
        Merged {
            measured: self.rows.clone(),
            output: self.output,
            rows: Vec::new(),
            groups: Vec::new(),
            n_groups: 0,
        }
    }
}

impl fmt::Debug for MergedOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MergedOutput({}.{})", self.metric, self.output_name)
    }
}

impl PartialEq for MergedOutput {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows) && self.output == other.output
    }
}

impl Eq for MergedOutput {}

impl Hash for MergedOutput {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (Arc::as_ptr(&self.rows), self.output).hash(hasher);
    }
}

/// Numbers of rows, the state of a group.
fn rows_field(name: &str) -> FieldRef {
    let item = Field::new("item", DataType::UInt32, false);
    Arc::new(Field::new(name, DataType::List(Arc::new(item)), false))
}

impl AggregateUDFImpl for MergedOutput {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.output_type.clone())
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![rows_field(arguments.name)])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.merged()))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.merged()))
    }
}

/// The rows of each group so far: row `rows[i]` is of group `groups[i]`.
#[derive(Debug)]
struct Merged {
    measured: Arc<NumberedRows>,
    output: usize,
    rows: Vec<u32>,
    groups: Vec<usize>,
    n_groups: usize,
}

impl Merged {
    /// Adds rows to groups, but for those that are null: an outer join has no row there.
    fn add(
        &mut self,
        numbers: &UInt32Array,
        group_of: impl Fn(usize) -> usize,
        is_kept: impl Fn(usize) -> bool,
    ) {
        for (index, number) in numbers.iter().enumerate() {
            if let Some(number) = number.filter(|_| is_kept(index)) {
                self.rows.push(number);
                self.groups.push(group_of(index));
            }
        }
    }

    fn add_lists(&mut self, lists: &ListArray, group_of: impl Fn(usize) -> usize) {
        for (index, list) in lists.iter().enumerate() {
            let Some(list) = list else { continue };
            let numbers = list.as_primitive::<UInt32Type>();
            self.rows.extend_from_slice(numbers.values());
            self.groups.extend(std::iter::repeat_n(group_of(index), numbers.len()));
        }
    }

    /// Takes the rows of the first groups out, or of all; the others move to the front.
    fn take(&mut self, emit_to: EmitTo) -> (Vec<u32>, Vec<usize>, usize) {
        let n = match emit_to {
            EmitTo::All => self.n_groups,
            EmitTo::First(n) => n,
        };
        if n >= self.n_groups {
            self.n_groups = 0;
            return (std::mem::take(&mut self.rows), std::mem::take(&mut self.groups), n);
        }
        let (mut rows, mut groups, mut kept) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
        for (row, group) in self.rows.drain(..).zip(self.groups.drain(..)) {
            if group < n {
                rows.push(row);
                groups.push(group);
            } else {
                kept.0.push(row);
                kept.1.push(group - n);
            }
        }
        (self.rows, self.groups, self.n_groups) = (kept.0, kept.1, self.n_groups - n);
        (rows, groups, n)
    }

    fn lists(rows: &[u32], groups: &[usize], n_groups: usize) -> Result<ArrayRef> {
        let mut lengths = vec![0_usize; n_groups];
        groups.iter().for_each(|group| lengths[*group] += 1);
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let mut next: Vec<usize> = offsets.iter().map(|offset| offset.unsigned_abs() as usize).collect();
        let mut sorted = vec![0_u32; rows.len()];
        for (row, group) in rows.iter().zip(groups) {
            sorted[next[*group]] = *row;
            next[*group] += 1;
        }
        let item = Arc::new(Field::new("item", DataType::UInt32, false));
        Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(UInt32Array::from(sorted)), None)?))
    }

    fn n_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u32>() + self.groups.capacity() * size_of::<usize>()
    }
}

fn is_kept(filter: Option<&BooleanArray>, index: usize) -> bool {
    filter.is_none_or(|flags| flags.is_valid(index) && flags.value(index))
}

fn numbers(values: &[ArrayRef]) -> Result<&UInt32Array> {
    let column = values.first().and_then(|column| column.as_primitive_opt::<UInt32Type>());
    column.ok_or_else(|| DataFusionError::Internal("MEASURE is given no numbers of rows".to_owned()))
}

fn number_lists(values: &[ArrayRef]) -> Result<&ListArray> {
    let column = values.first().and_then(|column| column.as_list_opt::<i32>());
    column.ok_or_else(|| DataFusionError::Internal("MEASURE is given no lists of rows".to_owned()))
}

impl GroupsAccumulator for Merged {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.n_groups = self.n_groups.max(total_num_groups);
        let numbers = numbers(values)?;
        match filter {
            None if numbers.null_count() == 0 => {
                self.rows.extend_from_slice(numbers.values());
                self.groups.extend_from_slice(group_indices);
            }
            filter => {
                self.add(numbers, |index| group_indices[index], |index| is_kept(filter, index));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (rows, groups, n_groups) = self.take(emit_to);
        self.measured.rows()?.measure(self.output, &rows, &groups, n_groups).map_err(failed)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (rows, groups, n_groups) = self.take(emit_to);
        Ok(vec![Merged::lists(&rows, &groups, n_groups)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.n_groups = self.n_groups.max(total_num_groups);
        self.add_lists(number_lists(values)?, |index| group_indices[index]);
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let numbers = numbers(values)?;
        let mut each =
            Merged { rows: Vec::new(), groups: Vec::new(), measured: self.measured.clone(), ..*self };
        each.add(numbers, |index| index, |index| is_kept(filter, index));
        Ok(vec![Merged::lists(&each.rows, &each.groups, numbers.len())?])
    }

    fn size(&self) -> usize {
        self.n_bytes()
    }
}

impl Accumulator for Merged {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(numbers(values)?, |_| 0, |_| true);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let measured =
            self.measured.rows()?.measure(self.output, &self.rows, &self.groups, 1).map_err(failed)?;
        ScalarValue::try_from_array(&measured, 0)
    }

    fn size(&self) -> usize {
        self.n_bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let lists = Merged::lists(&self.rows, &self.groups, 1)?;
        Ok(vec![ScalarValue::try_from_array(&lists, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add_lists(number_lists(states)?, |_| 0);
        Ok(())
    }
}
