//! The stage *stream*: the operators of a metric's grouping, as timely reports them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use metricc_compiler::{CompileError, EngineOptions, Grouping, MetricPlan, SourcePlan, explain};
use metricc_ir::explain::Node;
use timely::dataflow::ProbeHandle;
use timely::logging::{OperatesEvent, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

use crate::dataflow::combine_name;
use crate::failure::Failures;
use crate::worker::build;

/// Length of the address of an operator that lies in no scope but the dataflow.
const DEPTH: usize = 2;

/// The operators that run for a metric. They are built, with their workers' own code, and run on no rows.
///
/// # Errors
/// If the dataflow cannot be built.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn explain(source: &SourcePlan, metric: &MetricPlan) -> Result<Node, CompileError> {
    let grouping = source.grouping_of(metric).clone();
    let rows = explain::rows_of(source, metric);
    let combine = combine_name(&grouping);
    let (operators, types) = timely::execute_directly(move |worker| operators(worker, &grouping))?;
    // A grouping's operators are a chain, built from the input on.
    let feeds = |input: Node, operator: OperatesEvent| match operator.name == combine {
        true => explain::prepare(&operator.name, &rows.metric).child(input),
        false => Node::new(operator.name).child(input),
    };
    let chain = operators.into_iter().fold(explain::scan(source), feeds);
    let read = types.into_iter().fold(Node::new("read trace"), |node, (name, value)| node.with(name, value));
    Ok(explain::segment(source, metric, read.child(chain)))
}

type Operators = (Vec<OperatesEvent>, Vec<(&'static str, String)>);

fn operators(worker: &mut Worker, grouping: &Arc<Grouping>) -> Result<Operators, CompileError> {
    let built: Rc<RefCell<Vec<OperatesEvent>>> = Rc::default();
    let log = built.clone();
    if let Some(mut register) = worker.log_register() {
        register.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
            for (_, event) in events.iter().flatten() {
                if let TimelyEvent::Operates(operator) = event {
                    log.borrow_mut().push(operator.clone());
                }
            }
        });
    }
    let (options, grouping) = (EngineOptions::default(), std::slice::from_ref(grouping));
    let (_, traces) = build(worker, grouping, &options, 1, &ProbeHandle::new(), &Failures::default())?;
    if let Some(mut register) = worker.log_register() {
        register.flush();
    }
    let mut operators = built.take();
    operators.retain(|operator| operator.addr.len() == DEPTH);
    operators.sort_by(|left, right| left.addr.cmp(&right.addr));
    Ok((operators, traces.iter().flat_map(|trace| trace.types()).collect()))
}
