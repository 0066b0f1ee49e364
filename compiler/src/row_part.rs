//! The row part of a metric: typed rows in, groups and arguments out.
//!
//! `each`, `where`, the window, the keys and the arguments of all aggregates are evaluated here, once, for
//! both engines: the batch plan calls [`Prepare::apply`] in its scan, the dataflow in its first operator.
//! Equal expressions are evaluated once.
//!
//! Output columns: the group columns (window start, then keys; a constant for a metric that has neither, so
//! that no engine needs an ungrouped path), then the distinct value columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, RecordBatch, RecordBatchOptions, UInt32Array,
    UInt64Array,
};
use arrow::compute::{cast, take, take_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir as ir;
use metricc_ir::user_defined::Imports;
use metricc_log::{POSITION_TYPE, position_column};

use crate::CompileError;
use crate::scalar::{self, WindowRule};
use crate::segment::columns;
use crate::shared_rows::{Kept, SharedRows};
use crate::state::Arg;

/// The compiled row part of one metric.
#[derive(Debug)]
pub struct Prepare {
    metric: String,
    each: Vec<EachStep>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// The number of the filter among those of the plan; none if it is over elements of lists.
    shared_filter: Option<usize>,
    /// Columns of the scope that the outputs read; only these survive the filter.
    kept: Vec<usize>,
    kept_schema: SchemaRef,
    window: Option<(WindowRule, usize)>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    values: Vec<PreparedValue>,
    /// Column of the positions after the `each` steps, if the rows of one event need positions of their own.
    exploded_position: Option<usize>,
    is_ungrouped: bool,
    schema: SchemaRef,
}

/// How a value column is computed, from the columns that survive the filter.
#[derive(Debug)]
enum PreparedValue {
    Expr(Arc<dyn PhysicalExpr>),
    /// Whether a row is lost; on the way its arguments are computed, some of which are other values: which
    /// argument is which value.
    Lost(Arc<dyn PhysicalExpr>, Vec<(usize, usize)>),
    /// The event time, as a timestamp.
    Time(usize),
    /// The position in the order of the log.
    Position(usize),
}

#[derive(Debug)]
struct EachStep {
    list: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

/// Maps columns of the scope to columns of the batches that are read.
pub(crate) struct Scope<'a> {
    source: &'a ir::Source,
    /// Source fields that are read, ascending.
    columns: &'a [usize],
    imports: &'a Imports,
    /// The filters over rows that are not exploded, each once; none for all rows.
    filters: &'a [Option<&'a ir::Expr>],
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        source: &'a ir::Source,
        columns: &'a [usize],
        imports: &'a Imports,
        filters: &'a [Option<&'a ir::Expr>],
    ) -> Self {
        Scope { source, columns, imports, filters }
    }

    fn schema(&self) -> Schema {
        let field = |&column: &usize| match self.source.fields.get(column) {
            Some(field) => scalar::field(&field.name, &field.row_type()),
            None => Field::new("position", POSITION_TYPE, false),
        };
        Schema::new(self.columns.iter().map(field).collect::<Vec<_>>())
    }

    /// The column of the position, if it is read: the one after the fields.
    fn position(&self) -> Option<usize> {
        let last = self.columns.len().checked_sub(1)?;
        (self.columns[last] == position_column(self.source)).then_some(last)
    }

    fn index(&self, column: usize) -> usize {
        let n_fields = self.source.fields.len();
        match column.checked_sub(n_fields) {
            Some(element) => self.columns.len() + element,
            None => self.columns.partition_point(|&read| read < column),
        }
    }
}

/// The lists that `each` goes over, and the columns after the last of them.
fn each_steps(metric: &ir::Metric, scope: &Scope<'_>) -> Result<(Vec<EachStep>, Schema), CompileError> {
    let mut schema = scope.schema();
    let mut each = Vec::with_capacity(metric.each.len());
    for (number, step) in metric.each.iter().enumerate() {
        let list = scalar::compile(&step.list, &schema, &|column| scope.index(column), scope.imports)?;
        let ir::Kind::List(element) = &step.list.ty.kind else {
            let problem = format!("`each {}` is not over a list", step.name);
            return Err(CompileError::form(&metric.name, problem));
        };
        let element = scalar::field(&format!("each{number}"), element);
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(element));
        schema = Schema::new(fields);
        each.push(EachStep { list, schema: Arc::new(schema.clone()) });
    }
    Ok((each, schema))
}

impl Prepare {
    /// Compiles the row part of `metric` over batches with the given columns of its source.
    pub(crate) fn new(
        metric: &ir::Metric,
        scope: &Scope<'_>,
        values: &[Arg<'_>],
    ) -> Result<Self, CompileError> {
        let (each, schema) = each_steps(metric, scope)?;
        let index = |column: usize| scope.index(column);
        let filter = metric
            .filter
            .as_ref()
            .map(|filter| scalar::compile(filter, &schema, &index, scope.imports))
            .transpose()?;
        let window_column = metric.window.has_start().then(|| index(metric.source.time));
        let time = index(metric.source.time);
        let position = scope.position();
        let kept = kept_columns(metric, values, window_column, position, &index);
        let kept_schema = schema.project(&kept).map_err(|error| CompileError::engine(&metric.name, error))?;
        let kept_column = |column: usize| kept.partition_point(|&kept| kept < column);
        let kept_index = |column: usize| kept_column(index(column));
        let compile = |expr: &ir::Expr| scalar::compile(expr, &kept_schema, &kept_index, scope.imports);
        let window = match window_column {
            None => None,
            Some(_) => Some((WindowRule::new(&metric.window)?, kept_index(metric.source.time))),
        };
        let unread = || CompileError::form(&metric.name, "the position is used and not read");
        let value = |value: &Arg<'_>| {
            Ok(match value {
                Arg::Value(expr) => match shared(expr, values) {
                    Some(shared) => PreparedValue::Lost(compile(expr)?, shared),
                    None => PreparedValue::Expr(compile(expr)?),
                },
                Arg::Time => PreparedValue::Time(kept_column(time)),
                Arg::Position => PreparedValue::Position(kept_column(position.ok_or_else(unread)?)),
            })
        };
        Ok(Prepare {
            metric: metric.name.clone(),
            shared_filter: scope
                .filters
                .iter()
                .position(|filter| each.is_empty() && *filter == metric.filter.as_ref()),
            each,
            filter,
            window,
            keys: metric.keys.iter().map(|key| compile(&key.expr)).collect::<Result<_, _>>()?,
            values: values.iter().map(value).collect::<Result<_, CompileError>>()?,
            exploded_position: position
                .filter(|_| !metric.each.is_empty() && values.contains(&Arg::Position)),
            is_ungrouped: group_fields(metric).len()
                != metric.keys.len() + usize::from(window_column.is_some()),
            schema: prepared_schema(metric, values),
            kept_schema: Arc::new(kept_schema),
            kept,
        })
    }

    /// Schema of [`Prepare::apply`]'s result.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Evaluates the row part. The rows that `where` keeps stay in their order.
    pub fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, CompileError> {
        let mut rows = rows.clone();
        for step in &self.each {
            rows = self.explode(step, &rows)?;
        }
        if let Some(position) = self.exploded_position {
            rows = self.with_own_positions(&rows, position)?;
        }
        let mask = self.mask(&rows)?;
        self.prepared(&mut Kept::new(rows, mask.as_ref()))
    }

    /// The same of a batch that several groupings prepare.
    pub fn apply_shared(&self, shared: &SharedRows) -> Result<RecordBatch, CompileError> {
        let Some(filter) = self.shared_filter else { return self.apply(shared.rows()) };
        match shared.kept(filter, |rows| self.mask(rows))?.as_mut().and_then(|kept| kept.as_mut()) {
            Some(kept) => self.prepared(kept),
            None => self.apply(shared.rows()),
        }
    }

    /// The output columns of the rows that are kept.
    fn prepared(&self, kept: &mut Kept) -> Result<RecordBatch, CompileError> {
        let columns = self.kept.iter().map(|column| kept.column(*column));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept.n_rows()));
        let rows = RecordBatch::try_new_with_options(self.kept_schema.clone(), columns, &options)
            .map_err(|error| self.failed(error))?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        if self.is_ungrouped {
            let constant = arrow::buffer::BooleanBuffer::new_unset(kept.n_rows());
            columns.push(Arc::new(BooleanArray::new(constant, None)));
        }
        if let Some((rule, time)) = &self.window {
            columns.push(kept.starts(rule, self.kept[*time])?);
        }
        for key in &self.keys {
            columns.push(self.evaluate(key, &rows)?);
        }
        self.push_values(&rows, &mut columns)?;
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| self.failed(error))
    }

    /// Appends the value columns. An argument that `lost` computes as well is taken from there.
    fn push_values(&self, rows: &RecordBatch, columns: &mut Vec<ArrayRef>) -> Result<(), CompileError> {
        let mut computed: Vec<Option<ArrayRef>> = vec![None; self.values.len()];
        for (index, value) in self.values.iter().enumerate() {
            if let PreparedValue::Lost(expr, shared) = value
                && let Some(evaluated) = scalar::lost_with_values(expr, rows)
            {
                let (lost, values) = evaluated.map_err(|error| self.failed(error))?;
                computed[index] = Some(lost);
                for (argument, value) in shared {
                    computed[*value] = values.get(*argument).cloned();
                }
            }
        }
        for (value, computed) in self.values.iter().zip(computed) {
            if let Some(computed) = computed {
                columns.push(computed);
                continue;
            }
            columns.push(match value {
                PreparedValue::Expr(expr) | PreparedValue::Lost(expr, _) => self.evaluate(expr, rows)?,
                PreparedValue::Time(time) => {
                    let timestamp = scalar::data_type(&ir::Kind::Timestamp);
                    cast(rows.column(*time), &timestamp).map_err(|error| self.failed(error))?
                }
                PreparedValue::Position(position) => rows.column(*position).clone(),
            });
        }
        Ok(())
    }

    /// One row per element of the list; the element is the new last column.
    fn explode(&self, step: &EachStep, rows: &RecordBatch) -> Result<RecordBatch, CompileError> {
        let lists = self.evaluate(&step.list, rows)?;
        let lists = lists
            .as_list_opt::<i32>()
            .ok_or_else(|| CompileError::form(&self.metric, "`each` is not over a list column"))?;
        let mut parents = Vec::new();
        let mut elements = Vec::new();
        for row in 0..lists.len() {
            if lists.is_valid(row) {
                let (from, to) = (lists.value_offsets()[row] as u64, lists.value_offsets()[row + 1] as u64);
                parents.extend(std::iter::repeat_n(row as u32, (to - from) as usize));
                elements.extend(from..to);
            }
        }
        let n_rows = parents.len();
        let parents =
            take_record_batch(rows, &UInt32Array::from(parents)).map_err(|error| self.failed(error))?;
        let elements = take(lists.values().as_ref(), &UInt64Array::from(elements), None)
            .map_err(|error| self.failed(error))?;
        let mut columns = parents.columns().to_vec();
        columns.push(elements);
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(step.schema.clone(), columns, &options)
            .map_err(|error| self.failed(error))
    }

    /// Gives each row its own position: the rows of one event, which are adjacent, are numbered in the lowest
    /// bits.
    fn with_own_positions(&self, rows: &RecordBatch, position: usize) -> Result<RecordBatch, CompileError> {
        let positions = rows
            .column(position)
            .as_primitive_opt::<Decimal128Type>()
            .ok_or_else(|| CompileError::form(&self.metric, "the positions are of another type"))?;
        let (mut event, mut n_rows) = (None, 0);
        let numbered = positions.values().iter().map(|position| {
            n_rows = if event == Some(*position) { n_rows + 1 } else { 0 };
            event = Some(*position);
            position + n_rows
        });
        let numbered = Decimal128Array::from_iter_values(numbered).with_data_type(POSITION_TYPE);
        let mut columns = rows.columns().to_vec();
        columns[position] = Arc::new(numbered);
        RecordBatch::try_new(rows.schema(), columns).map_err(|error| self.failed(error))
    }

    /// The rows that `where` keeps; none for all of them. A null counts as false, as in Arrow's filter.
    fn mask(&self, rows: &RecordBatch) -> Result<Option<BooleanArray>, CompileError> {
        let Some(filter) = &self.filter else { return Ok(None) };
        let mask = self.evaluate(filter, rows)?;
        let mask = mask
            .as_boolean_opt()
            .ok_or_else(|| CompileError::form(&self.metric, "`where` is not a bool column"))?;
        Ok(Some(mask.clone()))
    }

    fn evaluate(&self, expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef, CompileError> {
        expr.evaluate(rows)
            .and_then(|value| value.into_array(rows.num_rows()))
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CompileError {
        CompileError::engine(&self.metric, error)
    }
}

/// The arguments of `lost` that are values, too: those of an aggregate are computed once.
fn shared(expr: &ir::Expr, values: &[Arg<'_>]) -> Option<Vec<(usize, usize)>> {
    let ir::ExprKind::Call(ir::Func::Lost, args) = &expr.kind else { return None };
    let place = |arg: &ir::Expr| values.iter().position(|value| *value == Arg::Value(arg));
    Some(args.iter().enumerate().filter_map(|(argument, arg)| Some((argument, place(arg)?))).collect())
}

/// Fields of the group columns: window start and keys, or the constant of an ungrouped metric.
pub(crate) fn group_fields(metric: &ir::Metric) -> Vec<Field> {
    let mut fields = Vec::with_capacity(metric.keys.len() + 1);
    if metric.window.has_start() {
        fields.push(Field::new(columns::WINDOW, scalar::data_type(&ir::Kind::Timestamp), false));
    }
    for (index, key) in metric.keys.iter().enumerate() {
        fields.push(scalar::field(&columns::key(index), &key.expr.ty));
    }
    if fields.is_empty() {
        fields.push(Field::new(columns::ALL, DataType::Boolean, false));
    }
    fields
}

fn prepared_schema(metric: &ir::Metric, values: &[Arg<'_>]) -> SchemaRef {
    let field = |(index, value): (usize, &Arg<'_>)| match value {
        Arg::Value(expr) => scalar::field(&format!("value{index}"), &expr.ty),
        Arg::Time | Arg::Position => Field::new(format!("value{index}"), value.data_type(), false),
    };
    let mut fields = group_fields(metric);
    fields.extend(values.iter().enumerate().map(field));
    Arc::new(Schema::new(fields))
}

/// Columns of the batch that keys, values and window read; ascending.
fn kept_columns(
    metric: &ir::Metric,
    values: &[Arg<'_>],
    window: Option<usize>,
    position: Option<usize>,
    index: &dyn Fn(usize) -> usize,
) -> Vec<usize> {
    let mut scope_columns = Vec::new();
    metric.keys.iter().for_each(|key| columns_of(&key.expr, &mut scope_columns));
    for value in values {
        match value {
            Arg::Value(expr) => columns_of(expr, &mut scope_columns),
            Arg::Time => scope_columns.push(metric.source.time),
            Arg::Position => {}
        }
    }
    let position = position.filter(|_| values.contains(&Arg::Position));
    let mut kept: Vec<usize> = scope_columns.into_iter().map(index).chain(window).chain(position).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// Appends the scope columns that an expression reads.
pub(crate) fn columns_of(expr: &ir::Expr, columns: &mut Vec<usize>) {
    match &expr.kind {
        ir::ExprKind::Column(column) => columns.push(*column),
        ir::ExprKind::Literal(_) => {}
        ir::ExprKind::Call(_, args) => args.iter().for_each(|arg| columns_of(arg, columns)),
    }
}
