//! DataFusion in this process, by SQL.

use std::path::Path;

use cpu_time::ProcessTime;
use datafusion::prelude::{CsvReadOptions, JsonReadOptions, ParquetReadOptions, SessionContext};

use crate::data::FileKind;
use crate::questions::Question;
use crate::{Failure, Peer};

/// The engine of this process.
pub(crate) struct DataFusion;

impl Peer for DataFusion {
    fn name(&self) -> &str {
        "DataFusion"
    }

    fn run(&mut self, question: &Question, kind: FileKind, files: &Path) -> Result<Option<f64>, Failure> {
        let start = ProcessTime::try_now()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        runtime.block_on(async {
            let context = SessionContext::new();
            let files = files.to_string_lossy();
            match kind {
                FileKind::Snappy | FileKind::Zstd => {
                    context.register_parquet("raw", files, ParquetReadOptions::default()).await?;
                }
                FileKind::Csv => context.register_csv("raw", files, CsvReadOptions::default()).await?,
                FileKind::NdJson => {
                    let options = JsonReadOptions::default().file_extension("ndjson");
                    context.register_json("raw", files, options).await?;
                }
            }
            // Texts of JSON are timestamps only after a cast.
            let at = "CAST(CAST(created_at AS TIMESTAMP(6)) AS BIGINT) AS at";
            let columns = "merchant_id, country, status, amount_minor, amount, latency_ms";
            let view = format!("CREATE VIEW payments AS SELECT {at}, {columns} FROM raw");
            context.sql(&view).await?.collect().await?;
            context.sql(&question.sql_by_micros()).await?.collect().await?;
            Ok::<_, Failure>(())
        })?;
        drop(runtime);
        Ok(Some(start.try_elapsed()?.as_secs_f64()))
    }
}
