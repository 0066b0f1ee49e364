//! Evaluated arguments of a kernel, and the few ways in which kernels walk over them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, ListArray, PrimitiveArray,
    StringViewArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion_common::Result as EngineResult;
use datafusion_expr::ColumnarValue;

/// The result of a kernel's body.
pub(super) type Result<T> = std::result::Result<T, ArrowError>;

/// A kernel: arguments and number of rows → one array of that many rows. Arguments are arrays of that length,
/// or scalars. A body never fails for the value of a row.
pub(super) type Body = Arc<dyn Fn(&[Operand], usize) -> Result<ArrayRef> + Send + Sync>;

/// An evaluated argument: one value per row, or one value for all rows.
pub(super) struct Operand {
    array: ArrayRef,
    is_scalar: bool,
}

impl Datum for Operand {
    fn get(&self) -> (&dyn Array, bool) {
        (self.array.as_ref(), self.is_scalar)
    }
}

impl Operand {
    /// One value per row.
    pub(super) fn column(array: ArrayRef) -> Self {
        Operand { array, is_scalar: false }
    }

    /// The one value of an array of length 1, for all rows.
    pub(super) fn scalar(array: ArrayRef) -> Self {
        Operand { array, is_scalar: true }
    }

    /// Wraps a value that DataFusion evaluated.
    pub(super) fn of(value: ColumnarValue) -> EngineResult<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Operand::column(array),
            ColumnarValue::Scalar(value) => Operand::scalar(value.to_array_of_size(1)?),
        })
    }

    /// A scalar as a column of one row: for a kernel all of whose arguments are scalars.
    pub(super) fn into_column(self) -> Self {
        Operand::column(self.array)
    }

    pub(super) fn is_scalar(&self) -> bool {
        self.is_scalar
    }

    pub(super) fn array(&self) -> &ArrayRef {
        &self.array
    }

    /// Index in the array of the value of a row.
    pub(super) fn index(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }

    /// Validity over all rows; `None` if no row is null.
    pub(super) fn nulls(&self, n_rows: usize) -> Option<NullBuffer> {
        if !self.is_scalar {
            return self.array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        }
        self.array.is_null(0).then(|| NullBuffer::new_null(n_rows))
    }

    /// The same value under another type that differs in precision or in names of fields only.
    pub(super) fn conformed(&self, data_type: &DataType) -> Result<Operand> {
        Ok(Operand { array: conformed(&self.array, data_type)?, is_scalar: self.is_scalar })
    }

    pub(super) fn primitive<T: ArrowPrimitiveType>(&self) -> Result<Primitive<'_, T>> {
        Ok(Primitive { array: primitive(&self.array)?, is_scalar: self.is_scalar })
    }

    pub(super) fn strings(&self) -> Result<Strings<'_>> {
        let array = self.array.as_string_view_opt().ok_or_else(|| unexpected(&self.array, "Utf8View"))?;
        Ok(Strings { array, is_scalar: self.is_scalar })
    }

    pub(super) fn lists(&self) -> Result<&ListArray> {
        self.array.as_list_opt().ok_or_else(|| unexpected(&self.array, "List"))
    }

    /// Bools over all rows, with null as false.
    pub(super) fn plain_bools(&self, n_rows: usize) -> Result<BooleanBuffer> {
        let bools = self.array.as_boolean_opt().ok_or_else(|| unexpected(&self.array, "Boolean"))?;
        if !self.is_scalar {
            return Ok(plain(bools));
        }
        let holds = bools.is_valid(0) && bools.value(0);
        Ok(if holds { BooleanBuffer::new_set(n_rows) } else { BooleanBuffer::new_unset(n_rows) })
    }
}

/// Typed view of an operand of fixed-width values.
pub(super) struct Primitive<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    is_scalar: bool,
}

impl<T: ArrowPrimitiveType> Primitive<'_, T> {
    /// The value of a row; unspecified where it is null.
    pub(super) fn value(&self, row: usize) -> T::Native {
        self.array.values()[if self.is_scalar { 0 } else { row }]
    }

    /// All values that the array holds: one per row, or one alone.
    pub(super) fn values(&self) -> &[T::Native] {
        self.array.values()
    }

    fn one(&self) -> Option<T::Native> {
        self.is_scalar.then(|| self.array.values()[0])
    }
}

/// Typed view of an operand of texts.
pub(super) struct Strings<'a> {
    array: &'a StringViewArray,
    is_scalar: bool,
}

impl<'a> Strings<'a> {
    /// The text of a row; unspecified where it is null.
    pub(super) fn value(&self, row: usize) -> &'a str {
        self.array.value(if self.is_scalar { 0 } else { row })
    }
}

/// The array as one of this type.
pub(super) fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt().ok_or_else(|| unexpected(array, &T::DATA_TYPE.to_string()))
}

/// A column that contradicts the types of the metric.
pub(super) fn unexpected(array: &ArrayRef, wanted: &str) -> ArrowError {
    ArrowError::InvalidArgumentError(format!("a column is {} where {wanted} is expected", array.data_type()))
}

/// Bools with null as false.
pub(super) fn plain(bools: &BooleanArray) -> BooleanBuffer {
    match bools.nulls() {
        Some(nulls) if nulls.null_count() > 0 => bools.values() & nulls.inner(),
        _ => bools.values().clone(),
    }
}

/// Plain bools as a column.
pub(super) fn bools(values: BooleanBuffer) -> ArrayRef {
    Arc::new(BooleanArray::new(values, None))
}

/// Validity of the rows in which no operand is null.
pub(super) fn all_present(operands: &[Operand], n_rows: usize) -> Option<NullBuffer> {
    operands
        .iter()
        .fold(None, |nulls, operand| NullBuffer::union(nulls.as_ref(), operand.nulls(n_rows).as_ref()))
}

/// Row by row `op(value) → (result, failed)`: null where the argument is null or the operation failed.
/// `op` also sees unspecified values of nulls and must not panic on any.
pub(super) fn unary_total<A: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    operand: &Operand,
    n_rows: usize,
    data_type: &DataType,
    op: impl Fn(A::Native) -> (O::Native, bool),
) -> Result<ArrayRef> {
    let arg = operand.primitive::<A>()?;
    let mut failed = false;
    let values: Vec<O::Native> = arg
        .array
        .values()
        .iter()
        .map(|&value| {
            let (result, fails) = op(value);
            failed |= fails;
            result
        })
        .collect();
    let mut nulls = operand.nulls(n_rows);
    if failed {
        let succeeded = BooleanBuffer::collect_bool(n_rows, |row| !op(arg.value(row)).1);
        nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(succeeded)));
    }
    finish::<O>(values, nulls, data_type)
}

/// As [`unary_total`], of two arguments.
pub(super) fn binary_total<A: ArrowPrimitiveType, B: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    operands: &[Operand],
    n_rows: usize,
    data_type: &DataType,
    op: impl Fn(A::Native, B::Native) -> (O::Native, bool),
) -> Result<ArrayRef> {
    let (left, right) = two(operands)?;
    let Some(mut nulls) = some_present(operands, n_rows) else {
        return Ok(new_null_array(data_type, n_rows));
    };
    let (left, right) = (left.primitive::<A>()?, right.primitive::<B>()?);
    let mut failed = false;
    let mut checked = |left: A::Native, right: B::Native| {
        let (result, fails) = op(left, right);
        failed |= fails;
        result
    };
    let (lefts, rights) = (left.array.values(), right.array.values());
    let values: Vec<O::Native> = match (left.one(), right.one()) {
        (None, None) => lefts.iter().zip(rights).map(|(&left, &right)| checked(left, right)).collect(),
        (None, Some(right)) => lefts.iter().map(|&left| checked(left, right)).collect(),
        (Some(left), None) => rights.iter().map(|&right| checked(left, right)).collect(),
        (Some(left), Some(right)) => (0..n_rows).map(|_| checked(left, right)).collect(),
    };
    if failed {
        let succeeded = BooleanBuffer::collect_bool(n_rows, |row| !op(left.value(row), right.value(row)).1);
        nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(succeeded)));
    }
    finish::<O>(values, nulls, data_type)
}

/// Validity of the result; `None` if a scalar is null, and with it every row.
fn some_present(operands: &[Operand], n_rows: usize) -> Option<Option<NullBuffer>> {
    let is_none = |operand: &Operand| operand.is_scalar && operand.array.is_null(0);
    if operands.iter().any(is_none) { None } else { Some(all_present(operands, n_rows)) }
}

/// Values with their validity, as an array of the given type.
pub(super) fn finish<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?;
    Ok(Arc::new(if array.data_type() == data_type { array } else { array.with_data_type(data_type.clone()) }))
}

/// Exactly one argument: [`super::function`] has counted them.
pub(super) fn one(operands: &[Operand]) -> Result<&Operand> {
    operands.first().ok_or_else(|| ArrowError::InvalidArgumentError("an argument is missing".into()))
}

/// Exactly two arguments: [`super::function`] has counted them.
pub(super) fn two(operands: &[Operand]) -> Result<(&Operand, &Operand)> {
    match operands {
        [left, right, ..] => Ok((left, right)),
        _ => Err(ArrowError::InvalidArgumentError("an argument is missing".into())),
    }
}

/// See [`Operand::conformed`].
fn conformed(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array.clone());
    }
    match (array.data_type(), data_type) {
        (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) if from == to => {
            let decimals = primitive::<Decimal128Type>(array)?.clone();
            Ok(Arc::new(decimals.with_precision_and_scale(*precision, *to)?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            let values = conformed(lists.values(), item.data_type())?;
            let list =
                ListArray::try_new(item.clone(), lists.offsets().clone(), values, lists.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        _ => Err(unexpected(array, &data_type.to_string())),
    }
}
