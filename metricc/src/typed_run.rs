//! Typed metrics: [`Run`] evaluates a metric in batch, in a stream and merged, and returns rows of Rust
//! types.
//!
//! Rows are presented as the JSON of all other outputs, which is then decoded into the types of the
//! definition.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use metricc_client::decode::DecodeError;
use metricc_compiler::{CompileError, DerivedPlan, MetricHash, MetricPlan, Segment, SourcePlan};
use metricc_dsl::{SourceText, check};
use metricc_ir as ir;
use metricc_ir::AnyMetric;
use metricc_log::{Binding, EventBuffer, Frontier, Log, LogError, ReadStats};
use metricc_runtime_serve::{ReadOptions, ServeError, json_lines};
use metricc_runtime_stream::Stream;
use metricc_types::{Definition, Event, Metric, Row};

use crate::{Bound, Engine, EngineOptions, EvaluateError, Evaluated, Package, PackageError, evaluate};

/// Why a metric could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This version of metricc does not accept the definition.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// An engine failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The states could not be presented.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The rows do not have the types of the definition.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The events belong to another source than the metric's.
    #[error(
        "metric `{metric}` reads source `{expected}`, but the events have another definition of `{found}`"
    )]
    OtherSource {
        /// The metric.
        metric: &'static str,
        /// Its source.
        expected: String,
        /// The source of the events.
        found: String,
    },
}

impl From<CompileError> for RunError {
    fn from(error: CompileError) -> Self {
        RunError::Package(error.into())
    }
}

impl From<LogError> for RunError {
    fn from(error: LogError) -> Self {
        RunError::Evaluate(error.into())
    }
}

/// A log of events of one type, from files or from memory.
pub struct EventLog<E> {
    log: Log,
    event: PhantomData<fn() -> E>,
}

impl<E: Event> EventLog<E> {
    /// The events in a file, a folder or a glob of Parquet, NDJSON or CSV.
    ///
    /// ```no_run
    /// # use metricc::{Event, EventLog, jiff};
    /// #[derive(Event)]
    /// struct Visit {
    ///     #[event(time)]
    ///     at: jiff::Timestamp,
    /// }
    /// let log = EventLog::<Visit>::open("visits/*.parquet")?;
    /// # Ok::<(), metricc::RunError>(())
    /// ```
    ///
    /// # Errors
    /// If the files cannot be read, or lack a column of the event.
    pub fn open(path: impl Into<String>) -> Result<Self, RunError> {
        let source = source_of::<E>()?;
        let log = Log::open(&source, &Binding::new(path))
            .map_err(|error| PackageError::Log { name: source.name.clone(), source: Box::new(error) })?;
        Ok(EventLog { log, event: PhantomData })
    }

    /// Events in memory, in this order. An event with a value that the language cannot represent is
    /// quarantined, as in a file: see [`Answer::read_stats`].
    ///
    /// # Errors
    /// If this version of metricc does not accept the source.
    pub fn of_events<'a>(events: impl IntoIterator<Item = &'a E>) -> Result<Self, RunError>
    where
        E: 'a,
    {
        let mut buffer = EventBuffer::new(&source_of::<E>()?)?;
        events.into_iter().for_each(|event| push(&mut buffer, event));
        Ok(EventLog { log: Log::of_events(buffer)?, event: PhantomData })
    }

    /// The frontier after the last event.
    pub fn end(&self) -> Frontier {
        self.log.end()
    }

    /// The frontier after the first `n_events` events of the log.
    pub fn frontier_at(&self, n_events: u64) -> Frontier {
        self.log.frontier_at(n_events)
    }
}

impl<E> Clone for EventLog<E> {
    fn clone(&self) -> Self {
        EventLog { log: self.log.clone(), event: PhantomData }
    }
}

impl<E> fmt::Debug for EventLog<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventLog").field(&self.log.source().name).finish()
    }
}

/// The rows of a metric at a frontier of its log.
pub struct Answer<D: Definition> {
    /// Sorted by window, then keys.
    pub rows: Vec<Row<D>>,
    /// The rows include all events before this frontier.
    pub frontier: Frontier,
    /// Numbers of records read, quarantined and skipped as duplicates.
    pub read_stats: ReadStats,
}

impl<D: Definition> Answer<D> {
    /// The value of a key in a metric without windows.
    pub fn get(&self, key: &D::Key) -> Option<&D::Value> {
        self.rows.iter().find(|row| row.key == *key).map(|row| &row.value)
    }
}

impl<D: Definition> fmt::Debug for Answer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("rows", &self.rows).field("frontier", &self.frontier).finish()
    }
}

/// Evaluates a metric in this process.
pub trait Run<D: Definition>: Sized {
    /// The hash of the metric's meaning.
    ///
    /// # Errors
    /// As [`Run::batch`].
    fn hash(self) -> Result<MetricHash, RunError>;

    /// Evaluates the metric over the whole log with the batch engine.
    ///
    /// # Errors
    /// [`RunError`], for example if the log cannot be read or a state is too large.
    fn batch(self, log: &EventLog<D::Event>) -> Result<Answer<D>, RunError> {
        self.run(log, Some(Engine::Batch), &log.log.start(), &EngineOptions::default())
    }

    /// Evaluates the metric with the batch engine before the cut and the stream engine after it, and merges.
    /// The answer equals that of [`Run::batch`] for every cut. See [`EventLog::frontier_at`].
    ///
    /// # Errors
    /// As [`Run::batch`].
    fn merged(self, log: &EventLog<D::Event>, cut: &Frontier) -> Result<Answer<D>, RunError> {
        self.run(log, None, cut, &EngineOptions::default())
    }

    /// Evaluates the metric with one engine, or with both around a cut if `engine` is `None`.
    ///
    /// # Errors
    /// As [`Run::batch`].
    fn run(
        self,
        log: &EventLog<D::Event>,
        engine: Option<Engine>,
        cut: &Frontier,
        options: &EngineOptions,
    ) -> Result<Answer<D>, RunError>;

    /// Starts the metric as a stream, which takes events with [`MetricStream::push`].
    ///
    /// # Errors
    /// If the stream engine cannot be started.
    fn stream(self) -> Result<MetricStream<D>, RunError>
    where
        D::Event: Event,
    {
        self.stream_with(&EngineOptions::default())
    }

    /// As [`Run::stream`], with options.
    ///
    /// # Errors
    /// As [`Run::stream`].
    fn stream_with(self, options: &EngineOptions) -> Result<MetricStream<D>, RunError>
    where
        D::Event: Event;
}

impl<D: Definition> Run<D> for Metric<D> {
    fn hash(self) -> Result<MetricHash, RunError> {
        let (metric, base) = selected::<D>()?;
        let sources = SourcePlan::of_package(&base, &D::imports())?;
        let plans: Vec<&Arc<MetricPlan>> = sources.iter().flat_map(|source| &source.metrics).collect();
        match &metric {
            AnyMetric::Base(_) => Ok(plans[0].hash),
            AnyMetric::Derived(derived) => Ok(DerivedPlan::new(derived, &plans, &D::imports())?.hash),
        }
    }

    fn run(
        self,
        log: &EventLog<D::Event>,
        engine: Option<Engine>,
        cut: &Frontier,
        options: &EngineOptions,
    ) -> Result<Answer<D>, RunError> {
        let planned = Planned::of::<D>()?;
        let plan = planned.plan.clone();
        if plan.source != *log.log.source() {
            return Err(RunError::OtherSource {
                metric: D::NAME,
                expected: plan.source.name.clone(),
                found: log.log.source().name.clone(),
            });
        }
        let bound = Bound { plan, log: log.log.clone() };
        let evaluation = evaluate(&bound, engine, cut, options, &|_| {})?;
        let rows = planned.rows::<D>(evaluation.segments)?;
        Ok(Answer { rows, frontier: log.log.end(), read_stats: evaluation.read_stats })
    }

    fn stream_with(self, options: &EngineOptions) -> Result<MetricStream<D>, RunError>
    where
        D::Event: Event,
    {
        let planned = Planned::of::<D>()?;
        let buffer = EventBuffer::new(&planned.plan.source)?;
        let stream = Stream::start(&planned.plan, Frontier(vec![0]), options)?;
        Ok(MetricStream { planned, buffer, stream, read_stats: ReadStats::default(), metric: PhantomData })
    }
}

/// A metric that is updated as events are pushed. Dropping it stops its workers.
pub struct MetricStream<D: Definition> {
    planned: Planned,
    buffer: EventBuffer,
    stream: Stream,
    read_stats: ReadStats,
    metric: PhantomData<D>,
}

/// Number of events to collect before they are sent to the workers.
const BATCH_EVENTS: u64 = 16_384;

impl<D: Definition> MetricStream<D>
where
    D::Event: Event,
{
    /// Adds an event at the end of the log. The next [`MetricStream::read`] includes it.
    ///
    /// # Errors
    /// If the stream engine has failed.
    pub fn push(&mut self, event: &D::Event) -> Result<(), RunError> {
        push(&mut self.buffer, event);
        let n_waiting = self.buffer.n_events() - self.stream.frontier().n_positions();
        if n_waiting >= BATCH_EVENTS { self.feed() } else { Ok(()) }
    }

    /// Adds events in this order.
    ///
    /// # Errors
    /// As [`MetricStream::push`].
    pub fn extend<'a>(&mut self, events: impl IntoIterator<Item = &'a D::Event>) -> Result<(), RunError>
    where
        D::Event: 'a,
    {
        events.into_iter().try_for_each(|event| self.push(event))
    }

    /// The rows over all events pushed so far.
    ///
    /// # Errors
    /// If the stream engine has failed.
    pub fn read(&mut self) -> Result<Answer<D>, RunError> {
        self.feed()?;
        let segments = self.stream.read()?;
        let rows = self.planned.rows::<D>(segments)?;
        Ok(Answer { rows, frontier: self.stream.frontier().clone(), read_stats: self.read_stats.clone() })
    }

    /// The frontier after the last pushed event.
    pub fn frontier(&self) -> Frontier {
        Frontier(vec![self.buffer.n_events()])
    }

    fn feed(&mut self) -> Result<(), RunError> {
        for batch in self.buffer.take(&self.planned.plan.columns)? {
            self.stream.feed(&batch)?;
            self.read_stats.merge(batch.read_stats);
        }
        Ok(())
    }
}

impl<D: Definition> fmt::Debug for MetricStream<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricStream").field("metric", &D::NAME).field("stream", &self.stream).finish()
    }
}

fn push<E: Event>(buffer: &mut EventBuffer, event: &E) {
    let mut cells = Vec::with_capacity(buffer.source().fields.len());
    event.cells(&mut cells);
    buffer.push(&cells);
}

/// A metric and its base metrics.
type Selected = (AnyMetric, Vec<Arc<ir::Metric>>);

/// Checked definitions. A package is checked once, because it may contain large tables.
static SELECTED: LazyLock<Mutex<HashMap<TypeId, Selected>>> = LazyLock::new(Mutex::default);

fn selected<D: Definition>() -> Result<Selected, RunError> {
    let lock = || SELECTED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().get(&TypeId::of::<D>()).cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    let read = read_definition::<D>()?;
    lock().insert(TypeId::of::<D>(), read.clone());
    Ok(read)
}

fn read_definition<D: Definition>() -> Result<Selected, RunError> {
    let text = SourceText { name: format!("the package of `{}`", D::NAME), bytes: D::PACKAGE.into() };
    let selection = Package::from_text_with(text, D::FILES).select(&[D::NAME.to_owned()])?;
    let metric = selection.wanted.into_iter().next();
    let metric = metric.ok_or_else(|| CompileError::form(D::NAME, "is not in its package"))?;
    Ok((metric, selection.base))
}

/// The metric of a definition, and the plan of its base metrics.
struct Planned {
    metric: AnyMetric,
    plan: Arc<SourcePlan>,
}

impl Planned {
    /// # Errors
    /// If the package has no such metric, or the metric reads several sources.
    fn of<D: Definition>() -> Result<Self, RunError> {
        let (metric, base) = selected::<D>()?;
        let plan = Arc::new(SourcePlan::new(&base, &D::imports())?);
        Ok(Planned { metric, plan })
    }

    /// Presents the metric from the segments of its plan.
    fn rows<D: Definition>(&self, segments: Vec<Segment>) -> Result<Vec<Row<D>>, RunError> {
        let mut evaluated = Evaluated::default();
        evaluated.add(&self.plan, segments);
        let presented = evaluated.read(&self.metric, &D::imports(), &ReadOptions::default())?;
        Ok(json_lines(&presented).map(|line| Row::from_json(&line)).collect::<Result<_, _>>()?)
    }
}

fn source_of<E: Event>() -> Result<Arc<ir::Source>, RunError> {
    let name = format!("the source of `{}`", E::NAME);
    let checked = check(&SourceText { name: name.clone(), bytes: E::SOURCE.into() });
    let source = checked.package.sources.into_iter().find(|source| source.name == E::NAME);
    source.ok_or_else(|| {
        let problem = format!("{name} has no source `{}`", E::NAME);
        PackageError::Name { problem, help: None }.into()
    })
}
