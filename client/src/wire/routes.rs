//! The routes of a node, as data: its router, the scopes of its tokens, and the OpenAPI document are made of
//! this table.

use super::{Operation, ParameterOf, ParameterSpec, ParameterValue, parameter};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Lists the metrics.
    Metrics,
    /// Rows of one metric.
    Metric,
    /// Rows of one metric, and those of each part of the log.
    Explain,
    /// Rows of one metric, each time the frontier moves.
    Live,
    /// Rows of several metrics.
    Read,
    /// Answers a question that no metric declares.
    Ask,
    /// The questions that are being computed.
    Questions,
    /// Cancels a question.
    CancelQuestion,
    /// Deploys a question as a metric.
    KeepQuestion,
    /// Takes events.
    Events,
    /// The requests that the node remembers.
    Requests,
    /// The frontier of answers.
    Served,
    /// Quarantined records.
    Quarantine,
    /// The state of all sources.
    Sources,
    /// The versions of the package.
    Package,
    /// Compares the rows of two versions of the package.
    Diff,
    /// Deploys a version of the package.
    Deploy,
    /// Makes a preview live.
    Promote,
    /// Makes a version live that was live before.
    RollBack,
    /// Gives a version up.
    Retire,
    /// Compares what is served with the log.
    Audit,
    /// The counters.
    Counters,
    /// Whether the node takes events.
    Healthz,
    /// Whether the node answers.
    Readyz,
}

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To send events.
    Ingest,
    /// To read metrics and the state of the node.
    Query,
    /// Everything.
    Admin,
}

impl Scope {
    /// Its name, as in the configuration of a node.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Query => "query",
            Scope::Admin => "admin",
        }
    }
}

/// The query parameters of a route: no other is taken.
#[derive(Debug, Clone, Copy)]
pub enum RouteParameters {
    /// Keys, and those of [`PARAMETERS`](super::PARAMETERS) that are of one of these.
    Reads(&'static [ParameterOf]),
    /// These.
    Own(&'static [ParameterSpec]),
}

/// A method of a path.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// What it is for.
    pub endpoint: Endpoint,
    /// The method of HTTP.
    pub method: &'static str,
    /// The path, with `{metric}` or `{source}` for a name.
    pub path: &'static str,
    /// The scope of the token that it takes; `None` if it takes none.
    pub scope: Option<Scope>,
    /// Which errors it may have.
    pub operation: Operation,
    /// Its query parameters.
    pub parameters: RouteParameters,
}

const fn route(
    endpoint: Endpoint,
    method: &'static str,
    path: &'static str,
    scope: Option<Scope>,
    operation: Operation,
    parameters: RouteParameters,
) -> Route {
    Route { endpoint, method, path, scope, operation, parameters }
}

const fn own(name: &'static str, value: ParameterValue, doc: &'static str) -> ParameterSpec {
    parameter(name, value, ParameterOf::Route, doc)
}

const QUERY: Option<Scope> = Some(Scope::Query);
const INGEST: Option<Scope> = Some(Scope::Ingest);
const ADMIN: Option<Scope> = Some(Scope::Admin);

const NONE: RouteParameters = RouteParameters::Own(&[]);
const OF_ONE: RouteParameters =
    RouteParameters::Reads(&[ParameterOf::Any, ParameterOf::Windows, ParameterOf::One, ParameterOf::Rows]);
const OF_SEVERAL: RouteParameters =
    RouteParameters::Reads(&[ParameterOf::Any, ParameterOf::Windows, ParameterOf::Several]);
const OF_ASK: RouteParameters = RouteParameters::Reads(&[
    ParameterOf::Any,
    ParameterOf::Windows,
    ParameterOf::One,
    ParameterOf::Rows,
    ParameterOf::Question,
]);
const OF_CANCEL: RouteParameters =
    RouteParameters::Own(&[own("id", ParameterValue::Number, "the number of the question")]);
const OF_REQUESTS: RouteParameters =
    RouteParameters::Own(&[own("prefix", ParameterValue::Text, "only keys that begin with this text")]);
const OF_SERVED: RouteParameters = RouteParameters::Own(&[own(
    "min_frontier",
    ParameterValue::Frontier,
    "one offset for each partition of the source",
)]);
const OF_QUARANTINE: RouteParameters = RouteParameters::Own(&[
    own("partition", ParameterValue::Number, "the partition; 0 unless it is given"),
    own("from", ParameterValue::Number, "the first position; 0 unless it is given"),
    own("limit", ParameterValue::Number, "the most lines; 100 unless it is given"),
    own("grouped", ParameterValue::Bool, "their number by field and reason instead"),
]);
const BY: ParameterSpec = own("by", ParameterValue::Text, "who does it, for the history");
const OF_KEEP: RouteParameters =
    RouteParameters::Own(&[own("name", ParameterValue::Text, "the name of the metric"), BY]);
const OF_DEPLOY: RouteParameters = RouteParameters::Own(&[
    own("plan", ParameterValue::Bool, "only say what it would change"),
    own("preview", ParameterValue::Bool, "compute it beside the live version, which stays live"),
    BY,
]);
const OF_DIFF: RouteParameters = RouteParameters::Own(&[
    own("version", ParameterValue::Number, "the new version; the one that is on its way unless it is given"),
    own("against", ParameterValue::Number, "the old version; the live one unless it is given"),
    own("metric", ParameterValue::Text, "only this metric"),
    own(
        "rows",
        ParameterValue::Number,
        "most rows that differ of each metric, 0 for all; 20 unless it is given",
    ),
    own(
        "causes",
        ParameterValue::Number,
        "most events to find for each metric that alone give other rows; none unless it is given",
    ),
    own("within", ParameterValue::Number, "seconds to search them for each metric; 10 unless it is given"),
    own("text", ParameterValue::Bool, "as text for people instead of JSON"),
]);
const OF_VERSION: RouteParameters =
    RouteParameters::Own(&[own("version", ParameterValue::Number, "the number of the version"), BY]);
const OF_ROLL_BACK: RouteParameters = RouteParameters::Own(&[
    own(
        "version",
        ParameterValue::Number,
        "the number of the version; the one before the live one unless it is given",
    ),
    BY,
]);
const OF_AUDIT: RouteParameters =
    RouteParameters::Own(&[own("full", ParameterValue::Bool, "also rebuild the views")]);

/// All of them.
pub static ROUTES: &[Route] = &[
    route(Endpoint::Metrics, "GET", "/v1/metrics", QUERY, Operation::Read, NONE),
    route(Endpoint::Read, "GET", "/v1/read", QUERY, Operation::Read, OF_SEVERAL),
    route(Endpoint::Metric, "GET", "/v1/metrics/{metric}", QUERY, Operation::Read, OF_ONE),
    route(Endpoint::Explain, "GET", "/v1/metrics/{metric}/explain-value", QUERY, Operation::Read, OF_ONE),
    route(Endpoint::Live, "GET", "/v1/metrics/{metric}/live", QUERY, Operation::Read, OF_ONE),
    route(Endpoint::Ask, "POST", "/v1/ask", QUERY, Operation::Ask, OF_ASK),
    route(Endpoint::Questions, "GET", "/v1/ask", QUERY, Operation::Ask, NONE),
    route(Endpoint::CancelQuestion, "POST", "/v1/ask/cancel", ADMIN, Operation::Ask, OF_CANCEL),
    route(Endpoint::KeepQuestion, "POST", "/v1/ask/keep", ADMIN, Operation::Deploy, OF_KEEP),
    route(Endpoint::Events, "POST", "/v1/sources/{source}/events", INGEST, Operation::Ingest, NONE),
    route(Endpoint::Requests, "GET", "/v1/sources/{source}/requests", INGEST, Operation::Ingest, OF_REQUESTS),
    route(Endpoint::Served, "GET", "/v1/sources/{source}/served", INGEST, Operation::Ingest, OF_SERVED),
    route(
        Endpoint::Quarantine,
        "GET",
        "/v1/sources/{source}/quarantine",
        ADMIN,
        Operation::Administer,
        OF_QUARANTINE,
    ),
    route(Endpoint::Sources, "GET", "/v1/sources", QUERY, Operation::Administer, NONE),
    route(Endpoint::Package, "GET", "/v1/package", QUERY, Operation::Administer, NONE),
    route(Endpoint::Diff, "GET", "/v1/package/diff", QUERY, Operation::Compare, OF_DIFF),
    route(Endpoint::Deploy, "POST", "/v1/package", ADMIN, Operation::Deploy, OF_DEPLOY),
    route(Endpoint::Promote, "POST", "/v1/package/promote", ADMIN, Operation::Deploy, OF_VERSION),
    route(Endpoint::RollBack, "POST", "/v1/package/rollback", ADMIN, Operation::Deploy, OF_ROLL_BACK),
    route(Endpoint::Retire, "POST", "/v1/package/retire", ADMIN, Operation::Deploy, OF_VERSION),
    route(Endpoint::Audit, "POST", "/v1/audit", ADMIN, Operation::Administer, OF_AUDIT),
    route(Endpoint::Counters, "GET", "/metrics", QUERY, Operation::Administer, NONE),
    route(Endpoint::Healthz, "GET", "/healthz", None, Operation::Probe, NONE),
    route(Endpoint::Readyz, "GET", "/readyz", None, Operation::Probe, NONE),
];

impl Endpoint {
    /// Whether it answers rows of metrics and nothing else: readers who may not read everything see those that
    /// they may read.
    pub fn is_of_metrics(self) -> bool {
        matches!(
            self,
            Endpoint::Metrics | Endpoint::Metric | Endpoint::Explain | Endpoint::Live | Endpoint::Read
        )
    }
}

impl Route {
    /// The route of a method and a path with `{metric}` or `{source}` in it. A method that the path does not
    /// have is taken for one that it has, which may do most.
    pub fn of(method: &str, path: &str) -> Option<&'static Route> {
        let of_path = || ROUTES.iter().filter(|route| route.path == path);
        let method = if method == "HEAD" { "GET" } else { method };
        of_path().find(|route| route.method == method).or_else(|| of_path().next_back())
    }
}
