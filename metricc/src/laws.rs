//! Checks the laws of user-defined aggregates.

use std::sync::Arc;

use metricc_algebra::law_kit::{check_laws, samples, state_bytes};
use metricc_algebra::{Layout, Size, user_defined_monoid};
use metricc_dsl::{SourceText, check};
use metricc_ir::user_defined::{Aggregate, Erased, Monoid};
use metricc_log::arrow_type;

/// Number of random samples.
const N_SAMPLES: usize = 240;

/// Checks the laws of a monoid on random rows from a seed, to the byte: it is associative and commutative
/// with an identity, and idempotent or invertible if declared; states survive encoding and are not larger
/// than declared; and states do not depend on how rows are divided into batches and groups, emitted early,
/// spilled and merged.
///
/// # Errors
/// The first law that fails, with the states that break it.
pub fn check_monoid<M: Monoid>(seed: u64) -> Result<(), String> {
    let aggregate: Arc<dyn Aggregate> = Arc::new(Erased::<M>::default());
    let types = aggregate.arguments().iter().copied().chain([aggregate.result()]).map(data_type);
    let mut types =
        types.collect::<Option<Vec<_>>>().ok_or("a type that user-defined aggregates do not support")?;
    let presented = types.pop().ok_or("the aggregate has no result type")?;
    let monoid = user_defined_monoid(&aggregate, &types, &presented).map_err(|error| error.to_string())?;
    debug_assert_eq!(monoid.layout(), Layout::Heap);
    let all = samples(&types, N_SAMPLES, seed).ok_or("a type that user-defined aggregates do not support")?;
    for (index, sample) in all.iter().enumerate() {
        let states = check_laws(monoid.as_ref(), sample, seed ^ index as u64)?;
        if let Size::Bounded(most) = monoid.laws().size {
            for row in 0..sample.n_groups {
                let n_bytes = state_bytes(&states, row)?.len();
                if n_bytes > most {
                    return Err(format!("a state has {n_bytes} bytes, but at most {most} are declared"));
                }
            }
        }
    }
    Ok(())
}

/// The Arrow type of a type in the syntax of the language.
fn data_type(ty: &str) -> Option<arrow::datatypes::DataType> {
    let bytes = format!("source s {{ at: timestamp time  x: {ty} }}\n").into_bytes();
    let checked = check(&SourceText { name: "type".to_owned(), bytes });
    let source = checked.package.sources.into_iter().next()?;
    source.fields.get(1).map(|field| arrow_type(&field.ty.kind))
}

/// Defines a test of the laws of a monoid: `metricc::law_test!(geometric_mean_is_lawful, GeometricMean);`
#[macro_export]
macro_rules! law_test {
    ($name:ident, $monoid:ty) => {
        #[test]
        fn $name() {
            for seed in 0..4 {
                if let Err(law) = $crate::user_defined::check_monoid::<$monoid>(seed) {
                    panic!("seed {seed}: {law}");
                }
            }
        }
    };
}
