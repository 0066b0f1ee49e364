//! A monoid as a DataFusion aggregate: adapters without arithmetic of their own.
//!
//! The result of the aggregate *is* its state, so partial and final aggregation emit the same column.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, Result, not_impl_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
};
use metricc_algebra::{Groups, Monoid, StateError};

/// A monoid in the shape of DataFusion's aggregate function.
#[derive(Debug)]
pub(crate) struct MonoidAggregate {
    name: String,
    monoid: Arc<dyn Monoid>,
    signature: Signature,
}

impl MonoidAggregate {
    pub(crate) fn new(monoid: Arc<dyn Monoid>) -> Self {
        let signature =
            Signature::new(TypeSignature::Any(monoid.inputs().len().max(1)), Volatility::Immutable);
        MonoidAggregate { name: monoid.name(), monoid, signature }
    }
}

// A monoid's name holds all parameters that decide its state.
impl PartialEq for MonoidAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for MonoidAggregate {}

impl Hash for MonoidAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for MonoidAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.monoid.state_type())
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("`{}` without groups; every metric has a group column", self.name)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, self.monoid.state_type(), false))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(MonoidGroups::new(self.monoid.clone())))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// [`Groups`] in the shape of DataFusion's accumulator.
struct MonoidGroups {
    monoid: Arc<dyn Monoid>,
    has_input: bool,
    groups: Box<dyn Groups>,
    n_groups: usize,
}

impl MonoidGroups {
    fn new(monoid: Arc<dyn Monoid>) -> Self {
        let groups = monoid.groups();
        MonoidGroups { has_input: !monoid.inputs().is_empty(), monoid, groups, n_groups: 0 }
    }

    fn take(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let n = match emit_to {
            EmitTo::All => self.n_groups,
            EmitTo::First(n) => n,
        };
        self.n_groups -= n;
        self.groups.emit(n).map_err(failed)
    }

    /// The engine passes a group column to aggregates that have no argument.
    fn args<'a>(&self, values: &'a [ArrayRef]) -> &'a [ArrayRef] {
        if self.has_input { values } else { &[] }
    }
}

impl GroupsAccumulator for MonoidGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.n_groups = total_num_groups;
        let args = self.args(values);
        self.groups.lift(args, group_indices, opt_filter, total_num_groups).map_err(failed)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.take(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.n_groups = total_num_groups;
        let [states] = values else {
            return Err(DataFusionError::Internal(format!("{} state columns, not one", values.len())));
        };
        self.groups.merge(states, group_indices, total_num_groups).map_err(failed)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let n_rows = values.first().map_or(0, |column| column.len());
        let each_row: Vec<usize> = (0..n_rows).collect();
        let mut groups = self.monoid.groups();
        groups.lift(self.args(values), &each_row, opt_filter, n_rows).map_err(failed)?;
        Ok(vec![groups.emit(n_rows).map_err(failed)?])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.size()
    }
}

fn failed(error: StateError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
