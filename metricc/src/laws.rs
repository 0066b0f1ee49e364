//! The law kit for monoids of a user's own.

use std::sync::Arc;

use metricc_algebra::law_kit::{check_laws, samples, state_bytes};
use metricc_algebra::{Layout, Size, user_defined_monoid};
use metricc_dsl::{SourceText, check};
use metricc_ir::user_defined::{Aggregate, Erased, Monoid};
use metricc_log::arrow_type;

/// Samples that are tried.
const N_SAMPLES: usize = 240;

/// Checks that a monoid keeps its laws, on rows drawn from the seed: associative and commutative with the identity, to
/// the byte; idempotent and cancelling where declared; bytes that come back, and are no more than declared; the same
/// whether rows come one by one or together, in one group or many, emitted early, spilled and merged.
///
/// # Errors
/// The first law that does not hold, with the states that show it.
pub fn check_monoid<M: Monoid>(seed: u64) -> Result<(), String> {
    let aggregate: Arc<dyn Aggregate> = Arc::new(Erased::<M>::default());
    let types = aggregate.arguments().iter().copied().chain([aggregate.result()]).map(data_type);
    let mut types = types.collect::<Option<Vec<_>>>().ok_or("a type that own code does not have")?;
    let presented = types.pop().ok_or("no result")?;
    let monoid = user_defined_monoid(&aggregate, &types, &presented).map_err(|error| error.to_string())?;
    debug_assert_eq!(monoid.layout(), Layout::Heap);
    let all = samples(&types, N_SAMPLES, seed).ok_or("a type that own code does not have")?;
    for (place, sample) in all.iter().enumerate() {
        let states = check_laws(monoid.as_ref(), sample, seed ^ place as u64)?;
        if let Size::Bounded(most) = monoid.laws().size {
            for row in 0..sample.n_groups {
                let n_bytes = state_bytes(&states, row)?.len();
                if n_bytes > most {
                    return Err(format!("a state of {n_bytes} bytes, and at most {most} are declared"));
                }
            }
        }
    }
    Ok(())
}

/// The Arrow type of a type of the language.
fn data_type(ty: &str) -> Option<arrow::datatypes::DataType> {
    let bytes = format!("source s {{ at: timestamp time  x: {ty} }}\n").into_bytes();
    let checked = check(&SourceText { name: "type".to_owned(), bytes });
    let source = checked.package.sources.into_iter().next()?;
    source.fields.get(1).map(|field| arrow_type(&field.ty.kind))
}

/// A test of the laws of a monoid: `metricc::law_test!(geometric_mean_is_lawful, GeometricMean);`
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
