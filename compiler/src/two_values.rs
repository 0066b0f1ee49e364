//! What a read computes of two values of one output, such as a value and the total it is a part of: with the
//! operators of the language, as a derived metric would.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir::user_defined::Imports;
use metricc_ir::{Expr, ExprKind, Func, Kind, Type};

use crate::{CompileError, scalar};

/// Most digits of a decimal.
const MOST_DIGITS: u8 = 38;

/// An expression over two values of one type.
#[derive(Debug)]
pub struct OfTwoValues {
    /// The expression; its columns are the first and the second value.
    pub expr: Expr,
    schema: SchemaRef,
    planned: Arc<dyn PhysicalExpr>,
}

impl OfTwoValues {
    /// The first value minus the second; `None` for types that have no difference.
    ///
    /// # Errors
    /// As [`scalar::compile`].
    pub fn difference(kind: &Kind) -> Result<Option<Self>, CompileError> {
        let result = match kind {
            Kind::Int | Kind::Int128 | Kind::Float | Kind::Duration => kind.clone(),
            Kind::Decimal { precision, scale } => {
                Kind::Decimal { precision: (precision + 1).min(MOST_DIGITS), scale: *scale }
            }
            Kind::Timestamp => Kind::Duration,
            _ => return Ok(None),
        };
        OfTwoValues::new(Func::Sub, kind, result).map(Some)
    }

    /// The first value divided by the second, rounded once; `None` for types that have no ratio.
    ///
    /// # Errors
    /// As [`scalar::compile`].
    pub fn ratio(kind: &Kind) -> Result<Option<Self>, CompileError> {
        match kind {
            Kind::Int | Kind::Int128 | Kind::Float | Kind::Decimal { .. } => {
                OfTwoValues::new(Func::Ratio, kind, Kind::Float).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn new(func: Func, of: &Kind, result: Kind) -> Result<Self, CompileError> {
        let ty = Type { kind: of.clone(), optional: true };
        let fields = ["first", "second"].map(|name| scalar::field(name, &ty));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let operand = |column| Expr { kind: ExprKind::Column(column), ty: ty.clone() };
        let kind = ExprKind::Call(func, vec![operand(0), operand(1)]);
        let expr = Expr { kind, ty: Type { kind: result, optional: true } };
        let planned = scalar::compile(&expr, &schema, &|column| column, &Imports::default())?;
        Ok(OfTwoValues { expr, schema, planned })
    }

    /// The results, row by row.
    ///
    /// # Errors
    /// If the columns are not of the type, or of two lengths.
    pub fn evaluate(&self, first: &ArrayRef, second: &ArrayRef) -> Result<ArrayRef, CompileError> {
        let failed = |error| CompileError::engine("two values", error);
        let columns = vec![first.clone(), second.clone()];
        let scope = RecordBatch::try_new(self.schema.clone(), columns);
        let scope = scope.map_err(|error| CompileError::engine("two values", error))?;
        let value = self.planned.evaluate(&scope).map_err(failed)?;
        value.into_array(first.len()).map_err(failed)
    }
}
