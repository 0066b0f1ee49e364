//! The same questions as hand-written SQL on DataFusion.

use std::path::Path;

use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::Failure;

/// Runs a query over the whole file. `at` is an integer of microseconds, so that buckets are integer
/// arithmetic, the fastest formulation that we know.
pub(crate) fn run(path: &Path, query: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(async {
        let context = SessionContext::new();
        let path = path.to_string_lossy();
        context.register_parquet("raw", path.as_ref(), ParquetReadOptions::default()).await?;
        let columns = "country, region, customer, merchant, amount, status";
        let view =
            format!("CREATE VIEW events AS SELECT CAST(\"at\" AS BIGINT) AS \"at\", {columns} FROM raw");
        context.sql(&view).await?.collect().await?;
        context.sql(query).await?.collect().await?;
        Ok(())
    })
}
