//! What a node says of itself: the state of its sources, and its counters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use metricc_log::{AbsentField, Frontier, ReadStats};

use super::Node;
use crate::access_log::AccessLog;
use crate::archiver::{self, ArchiveStatus};
use crate::backfill::{self, BackfillStatus};
use crate::batch_cluster::ClusterStatus;
use crate::deployment::PackageStatus;
use crate::sink_status::{self, SinkStatus};
use crate::source::NodeSource;
use crate::status::{SourceGauges, metric_costs};
use crate::topic_status::{self, TopicStatus};

/// The frontiers of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// The source.
    pub name: String,
    /// The names of the fields by which its events are decoded now.
    pub fields: Vec<String>,
    /// The end of the durable log.
    pub end: Frontier,
    /// The served frontier; `None` until the first answer.
    pub served: Option<Frontier>,
    /// The frontier at which the served view ends and the tail begins; empty until the first answer.
    pub view: Frontier,
    /// The records that came in since the node started, and those of them that did not decode.
    pub intake: ReadStats,
    /// Declared fields that none of them has.
    pub absent: Vec<AbsentField>,
    /// What was wrong with the view that the node found when it started.
    pub view_problem: Option<String>,
    /// The cluster that evaluates for batch, if there is one.
    pub cluster: Option<ClusterStatus>,
    /// The topic that its events come from, if there is one.
    pub topic: Option<TopicStatus>,
    /// The copy of flushed events in an object store, if there is one.
    pub archive: Option<ArchiveStatus>,
    /// The metrics that are computed from the start of the log, if there are any.
    pub backfill: Option<BackfillStatus>,
}

impl Node {
    /// The frontiers of each source.
    pub fn status(&self) -> Vec<SourceStatus> {
        let status = |source: &Arc<NodeSource>| {
            let (intake, absent) = source.intake();
            SourceStatus {
                name: source.name().to_owned(),
                fields: source.fields(),
                end: source.end(),
                served: self.local.frontier(source.name()),
                view: source.view().map_or_else(Frontier::default, |view| view.frontier.clone()),
                intake,
                absent,
                view_problem: source.view_problem(),
                cluster: source.cluster(),
                topic: source.topic(),
                archive: source.archive(),
                backfill: source.backfill(),
            }
        };
        self.sources.now().iter().map(status).collect()
    }

    /// What each sink holds of its metrics.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        let end = |name: &String| self.sources.find(name).map_or(0, |source| source.end().n_positions());
        self.sinks.iter().map(|sink| sink.status(end)).collect()
    }

    /// The number of metrics of the version that is live.
    pub fn n_metrics(&self) -> usize {
        self.deployments.n_metrics()
    }

    /// The versions of the package.
    pub fn package_status(&self) -> PackageStatus {
        self.deployments.status()
    }

    /// Whether all sources are served that the node has started with: one that a version brings along later makes
    /// no node unready that answers.
    pub fn is_ready(&self) -> bool {
        self.at_start.iter().all(|source| self.local.frontier(source.name()).is_some())
    }

    /// Why the node rejects events, if it does.
    pub fn stopped(&self) -> Option<String> {
        self.sources.now().first().and_then(|source| source.log.snapshot().stopped().map(str::to_owned))
    }

    /// The counters in the text format of Prometheus.
    pub fn counters_text(&self) -> String {
        let sources = self.sources.now();
        let now: Vec<SourceGauges> = self
            .status()
            .into_iter()
            .zip(&*sources)
            .map(|(status, source)| SourceGauges {
                unsealed: source.n_unflushed(),
                end: status.end.n_positions(),
                served: status.served.map_or(0, |served| served.n_positions()),
                view: status.view.n_positions(),
                groups: source.n_groups(),
                generations: source.n_generations.load(Ordering::Relaxed),
                name: status.name,
            })
            .collect();
        let live: Vec<_> =
            sources.iter().map(|source| (source, self.local.base_metrics_of(source.name()))).collect();
        let metrics = live.iter().flat_map(|(source, plans)| {
            plans
                .iter()
                .filter_map(|plan| Some((source.name(), plan.metric.name.as_str(), source.cost_of(plan)?)))
        });
        let metrics: Vec<_> = metrics.collect();
        let topics = sources.iter().filter_map(|source| Some((source.name(), source.topic()?)));
        let topics: Vec<_> = topics.collect();
        let archives =
            sources.iter().filter_map(|source| Some((source.name(), source.archive()?, source.end())));
        let archives: Vec<_> = archives.collect();
        self.counters.text(&now)
            + &topic_status::text(&topics)
            + &archiver::text(&archives)
            + &sink_status::text(&self.sinks())
            + &backfill::text(&self.status())
            + &metric_costs(&metrics)
            + &self.access_log.as_ref().map(AccessLog::text).unwrap_or_default()
    }
}
