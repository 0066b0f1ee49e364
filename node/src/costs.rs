//! What the metrics of a source cost: the size of their states, and the processor time of their groupings.
//!
//! A grouping is computed as a whole, so its time cannot be told apart by metric: each of its metrics has an
//! equal part, and names the others. Reading and decoding the log, and merging in the collection of the tail,
//! is for all metrics of the source, and is in no part.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metricc_client::{Layer, MetricCost, StateSize};
use metricc_compiler::{CpuTimes, Grouping, MetricPlan, SourcePlan};
use metricc_runtime_serve::IndexedSegment;

use crate::source_plans::{DeclaredPlan, SourcePlans};

/// The costs of the states that a source keeps.
#[derive(Debug)]
pub(crate) struct Costs {
    /// In the order of the plans.
    times: Vec<PlanTimes>,
    /// In view and tail, in the order of the metrics of all plans.
    sizes: Mutex<Vec<[StateSize; 2]>>,
}

/// The processor times of the groupings of a plan.
#[derive(Debug)]
pub(crate) struct PlanTimes {
    plan: Arc<SourcePlan>,
    pub(crate) batch: Arc<CpuTimes>,
    pub(crate) stream: Arc<CpuTimes>,
}

impl Costs {
    pub(crate) fn new(plans: &SourcePlans) -> Self {
        let of_plan = |DeclaredPlan { plan, .. }: &DeclaredPlan| {
            let times = || Arc::new(CpuTimes::of(plan));
            PlanTimes { plan: plan.clone(), batch: times(), stream: times() }
        };
        Costs { times: plans.declared().iter().map(of_plan).collect(), sizes: Mutex::default() }
    }

    /// The times of a plan, by its index.
    pub(crate) fn times(&self, plan: usize) -> &PlanTimes {
        &self.times[plan]
    }

    /// Notes the sizes of what is served from now on: the parts of each metric.
    pub(crate) fn note<'a>(&self, metrics: impl Iterator<Item = &'a [IndexedSegment]>) {
        let sizes = metrics.map(|parts| {
            let mut sizes = [StateSize::default(); 2];
            for part in parts {
                let states = &part.segment().states;
                let size = &mut sizes[usize::from(part.layer() == Some(Layer::Tail))];
                size.groups += states.num_rows() as u64;
                size.bytes += states.get_array_memory_size() as u64;
            }
            sizes
        });
        *self.sizes.lock().unwrap_or_else(PoisonError::into_inner) = sizes.collect();
    }

    /// The states of a metric: their index among all, and their plan.
    fn find(&self, metric: &MetricPlan) -> Option<(usize, &PlanTimes, &Arc<MetricPlan>)> {
        let mut first = 0;
        for times in &self.times {
            let metrics = &times.plan.metrics;
            if let Some(index) = metrics.iter().position(|kept| kept.state_hash == metric.state_hash) {
                return Some((first + index, times, &metrics[index]));
            }
            first += metrics.len();
        }
        None
    }

    /// What a metric costs; `None` if its states are not kept.
    pub(crate) fn of(&self, metric: &MetricPlan) -> Option<MetricCost> {
        let (index, times, kept) = self.find(metric)?;
        let PlanTimes { plan, batch, stream } = times;
        let has_it = |grouping: &Arc<Grouping>| {
            grouping.members.iter().any(|member| Arc::ptr_eq(&member.metric, kept))
        };
        let grouping = plan.groupings.iter().position(has_it)?;
        let all: Vec<&str> = members(&plan.groupings[grouping]).collect();
        let part = |times: &CpuTimes| micros(times.get(grouping)) / (all.len() as u64).max(1);
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        let [view, tail] = sizes.get(index).copied().unwrap_or_default();
        let shared_with =
            all.iter().filter(|name| **name != kept.metric.name).map(|name| (*name).to_owned()).collect();
        let (batch_cpu_us, stream_cpu_us) = (part(batch), part(stream));
        Some(MetricCost { view, tail, batch_cpu_us, stream_cpu_us, shared_with })
    }
}

fn members(grouping: &Grouping) -> impl Iterator<Item = &str> {
    grouping.members.iter().map(|member| member.metric.metric.name.as_str())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
