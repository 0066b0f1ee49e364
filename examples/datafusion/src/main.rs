//! Metrics as DataFrames of a program that has a DataFusion session.
//!
//! ```sh
//! metricc-example-datafusion payments.metric payments=payments.ndjson revenue STORE
//! metricc-example-datafusion payments.metric payments=payments.ndjson revenue STORE df://127.0.0.1:50050
//! ```
//!
//! Without a scheduler, the session of this process evaluates the metric; with one, executors of metricc do,
//! and the session is one of Ballista. Both give the same rows, here one line for each country.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ballista_core::extension::SessionStateExt;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::SessionState;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use metricc::{Evaluated, Package, bind, parse_binding};
use metricc_cluster::{Cluster, InSession};
use metricc_ir::user_defined::Imports;
use metricc_jobs::{Build, Done, JobLog, JobOptions, JobStore, PackageText, Run, RunOptions, Submit, Worker};
use metricc_log::Interval;
use metricc_runtime_serve::{Presented, ReadOptions, record_batch};
use tokio::runtime::Handle;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Who computes: a function that makes it on the thread that uses it.
type Computes = Box<dyn FnOnce(&JobStore) -> Result<Box<dyn Submit>> + Send>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, log, metric, store, scheduler @ ..] = &arguments[..] else {
        return Err(
            "usage: metricc-example-datafusion PACKAGE SOURCE=LOG METRIC STORE [df://HOST:PORT]".into()
        );
    };
    let (context, computes) = match scheduler {
        [] => in_this_process(),
        [scheduler, ..] => on_ballista(scheduler)?,
    };
    let (package, log, metric, store) = (package.clone(), log.clone(), metric.clone(), store.clone());
    let folder = Path::new(&store).join("rows");
    let presented = tokio::task::spawn_blocking(move || rows(&package, &log, &metric, &store, computes));
    let rows = data_frame(&context, &presented.await??, &folder).await?;
    context.register_table("revenue", rows.into_view())?;
    let by_country = "SELECT country, count(*) AS hours, sum(value) AS value FROM revenue GROUP BY country ORDER BY country";
    let lines = context.sql(by_country).await?.collect().await?;
    write(&pretty_format_batches(&lines)?.to_string())?;
    Ok(())
}

/// A session of DataFusion, which does the jobs itself.
fn in_this_process() -> (SessionContext, Computes) {
    let (context, runtime) = (SessionContext::new(), Handle::current());
    let session = context.clone();
    let computes: Computes = Box::new(move |store| {
        let worker = Worker::new("this session", Build::of_this_process(), store.clone(), Imports::new());
        Ok(Box::new(InSession::new(session, Arc::new(worker), runtime)))
    });
    (context, computes)
}

/// A session of Ballista, and the cluster of its scheduler.
fn on_ballista(scheduler: &str) -> Result<(SessionContext, Computes)> {
    let state = SessionState::new_ballista_state(scheduler.replace("df://", "http://"))?;
    let address = scheduler.parse()?;
    let computes: Computes = Box::new(move |_| Ok(Box::new(Cluster::new(address)?)));
    Ok((SessionContext::new_with_state(state), computes))
}

/// Evaluates a metric by jobs, and presents it.
fn rows(package: &str, log: &str, metric: &str, store: &str, computes: Computes) -> Result<Presented> {
    let package = Package::read(Path::new(package))?;
    let selected = package.select(&[metric.to_owned()])?;
    let bound = bind(&package, &selected.base, &[parse_binding(log)?], &|_, _| ())?;
    let store = JobStore::in_folder(Path::new(store))?;
    let submit = computes(&store)?;
    let options = RunOptions {
        job_positions: 500,
        merge_bytes: 64 << 20,
        job: JobOptions { workers: 1, memory_bytes: 1 << 30 },
    };
    let mut evaluated = Evaluated::default();
    for bound in &bound {
        let run = Run {
            store: &store,
            package: &PackageText::of_checked(&package.text, &package.checked)?,
            plan: &bound.plan,
            log: &JobLog::of_files(&bound.log),
            interval: &Interval::new(bound.log.start(), bound.log.end())?,
            options: &options,
        };
        let Done { segments, .. } = run.evaluate(submit.as_ref(), &|| false, &|_| (), &|_| ())?;
        // Each is also a table by itself: Parquet files of the store, with the state of every group.
        for segment in segments {
            evaluated.add_ranges(&segment.plan().clone(), Box::new(segment));
        }
    }
    Ok(evaluated.read(&selected.wanted[0], &package.imports, &ReadOptions::default())?)
}

/// Presented rows as a DataFrame of a session. Executors read them from the folder that all share.
async fn data_frame(context: &SessionContext, presented: &Presented, folder: &Path) -> Result<DataFrame> {
    let path = folder.join(format!("{}.parquet", presented.row_type.name)).to_string_lossy().into_owned();
    let here = SessionContext::new().read_batch(record_batch(presented)?)?;
    here.write_parquet(&path, DataFrameWriteOptions::new().with_single_file_output(true), None).await?;
    Ok(context.read_parquet(path, ParquetReadOptions::default()).await?)
}

fn write(text: &str) -> Result<()> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
