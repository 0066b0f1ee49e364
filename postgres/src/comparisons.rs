//! Comparisons that PostgreSQL's types allow and the engine's do not: of truth values with texts, and of functions,
//! which are texts here, with the number 0.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Columns of `pg_type` that name a function, `-` where there is none. As a number that is 0.
const OF_FUNCTIONS: [&str; 8] =
    ["typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout", "typanalyze", "typsubscript"];

/// Plans these comparisons.
#[derive(Debug)]
pub(crate) struct Comparisons;

impl ExprPlanner for Comparisons {
    fn plan_binary_op(
        &self,
        mut raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(raw.op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            if let Some(right) = fitting(&raw.left, &raw.right, schema) {
                raw.right = right;
            } else if let Some(left) = fitting(&raw.right, &raw.left, schema) {
                raw.left = left;
            }
        }
        Ok(PlannerResult::Original(raw))
    }
}

/// A literal as what the other side is compared with; `None` if it fits as it is.
fn fitting(other: &Expr, literal: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::Literal(value, _) = literal else { return None };
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            let truth = truth_of(text)?;
            (other.get_type(schema).ok()? == DataType::Boolean).then(|| lit(truth))
        }
        ScalarValue::Int64(Some(0)) => {
            let Expr::Column(column) = other else { return None };
            OF_FUNCTIONS.contains(&column.name.as_str()).then(|| lit("-"))
        }
        _ => None,
    }
}

/// As PostgreSQL reads truth values.
fn truth_of(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}
