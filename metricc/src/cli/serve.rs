//! `metricc serve`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;
use metricc_node::{AccessLog, Config, Limits, Node, NodeError, NodePackage, Server};
use tokio::signal::unix::{SignalKind, signal};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::arguments::{LogFormat, ServeArguments};
use super::stored;
use super::terminal::{self, Failure, counted};

mod postgres;

pub(crate) fn run(arguments: &ServeArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let mut config = config(arguments)?;
    let package = stored::read_package(&config.package)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(ExitCode::from(1));
    }
    config.batch_cluster = super::cluster::of_node(&config, &package)?;
    let package = NodePackage {
        metrics: package.select(&[])?.wanted,
        calendars: package.checked.package.calendars.clone(),
        imports: imports.clone(),
        text: Some(PackageText::of_checked(&package.text, &package.checked)?),
    };
    Server::check(&config)?;
    write_logs(arguments.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(&config, &package));
    // An evaluation that is still running holds nothing that the log does not have.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Exit code 1: another node uses the folder, nothing is wrong with this one.
        Err(error @ NodeError::Taken { .. }) => {
            if let Failure::Message(message) = Failure::from(error) {
                terminal::error(&message);
            }
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error.into()),
    }
}

fn config(arguments: &ServeArguments) -> Result<Config, Failure> {
    let is_package = arguments.config.extension().is_some_and(|extension| extension == "metric");
    let mut config = if is_package {
        Config::of_package(&arguments.config)
    } else if arguments.config == Path::new("metricc.toml") && !arguments.config.exists() {
        return Err(Failure::Message(
            "there is no `metricc.toml` in this folder\n  help: name a configuration file, or a `.metric` file to serve with the defaults: \
             `metricc serve payments.metric`"
                .to_owned(),
        ));
    } else {
        Config::read(&arguments.config)?
    };
    if let Some(listen) = &arguments.listen {
        config.listen = listen.clone();
    }
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    config.accept_loss = arguments.accept_loss;
    Ok(config)
}

async fn serve(config: &Config, package: &NodePackage) -> Result<(), NodeError> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let node = Arc::new(Node::start(config, package)?);
    if let Some(cut) = node.truncated_tail() {
        terminal::warning(&format!(
            "`{}` ended with an incomplete write: truncated {} bytes after byte {}; unless somebody cut the file, it was never acknowledged",
            cut.path, cut.n_bytes, cut.at
        ));
    }
    let server = Server::bind(config, node.clone(), Limits::new(config)).await?;
    let address = server.address()?;
    let n_metrics = node.n_metrics();
    terminal::note(format!(
        "serving {} of {} at {}://{address}, data in {}",
        counted(n_metrics, "metric", "metrics"),
        config.package.display(),
        server.scheme(),
        config.data.display()
    ));
    let postgres = postgres::start(config, &node)?;
    let (of_signals, mut hung_up) = (node.clone(), signal(SignalKind::hangup())?);
    tokio::spawn(async move {
        while hung_up.recv().await.is_some() {
            of_signals.access_log().into_iter().for_each(AccessLog::reopen);
        }
    });
    let stop = async {
        tokio::select! { _ = interrupted.recv() => {}, _ = terminated.recv() => {} }
        terminal::note("stopping: every acknowledged event is in the log");
    };
    server.run(stop).await;
    drop(postgres);
    // Connections that are still open share the node, so it is stopped here and not when it is dropped.
    tokio::task::block_in_place(|| node.stop());
    Ok(())
}

fn write_logs(format: LogFormat) {
    // The node keeps running if the reader of stderr closes the pipe.
    let builder = tracing_subscriber::fmt()
        .with_writer(|| terminal::LogLines)
        .log_internal_errors(false)
        .with_target(false);
    // The client of Kafka reports each of its attempts; the node says once what they come to.
    let wanted = filter_fn(|metadata| !metadata.target().starts_with("krafka"));
    match format {
        LogFormat::Text => builder.finish().with(wanted).init(),
        LogFormat::Json => builder.json().finish().with(wanted).init(),
    }
}
