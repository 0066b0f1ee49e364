//! Phrases in values and clauses of metrics. Of several that match, the first one counts.

use super::{Phrase, Place};

const ANYWHERE: Phrase =
    Phrase { name: "", language: "SQL", place: Place::Anywhere, pattern: "", help: "", example: "" };
const AT_ERROR: Phrase = Phrase { place: Place::AtError, ..ANYWHERE };

impl Phrase {
    const fn of(self, name: &'static str, pattern: &'static str) -> Phrase {
        Phrase { name, pattern, ..self }
    }

    const fn from(self, language: &'static str) -> Phrase {
        Phrase { language, ..self }
    }

    const fn says(self, help: &'static str, example: &'static str) -> Phrase {
        Phrase { help, example, ..self }
    }
}

pub(super) const PHRASES: &[Phrase] = &[
    // Aggregates.
    ANYWHERE.of("count(*)", "count ( * )").says("write `count()`", "metric m = count(*) { from events }"),
    ANYWHERE
        .of("count(distinct x)", "count ( distinct A.. )")
        .says("write `distinct({A})`", "metric m = count(distinct name) { from events }"),
    ANYWHERE.of("sum(distinct x)", "sum|avg|mean|min|max ( distinct A.. )").says(
        "aggregates take each event; `set({A})` are the distinct values, `distinct({A})` is their number",
        "metric m = sum(distinct n) { from events }",
    ),
    ANYWHERE.of("filter (where …)", "filter ( where A.. )").says(
        "write `where {A}` after the aggregate",
        "metric m = count() filter (where n > 1) { from events }",
    ),
    AT_ERROR.of("within group (…)", "within group ( order by A.. )").says(
        "write `quantile({A}, 0.5)`",
        "metric m = percentile_cont(0.5) within group (order by ratio) { from events }",
    ),
    AT_ERROR.of("over (partition by …)", "over ( A.. )").says(
        "windows are clauses: `by` gives the parts, `over last 24h step 1h` what lies before, and a derived metric \
         reads an earlier row with `offset`",
        "metric m = sum(n) over (partition by name) { from events }",
    ),
    // Conditions.
    ANYWHERE
        .of("is not null", "A is not null|none")
        .says("write `{A} != none`", "metric m = count() { from events where maybe is not null }"),
    ANYWHERE
        .of("is null", "A is null|none")
        .says("write `{A} == none`", "metric m = count() { from events where maybe is null }"),
    ANYWHERE
        .of("is not", "A is not B")
        .says("write `{A} != {B}`", "metric m = count() { from events where flag is not true }"),
    ANYWHERE
        .of("is", "A is B")
        .says("write `{A} == {B}`", "metric m = count() { from events where flag is true }"),
    ANYWHERE.of("not like", "A not like|ilike|rlike|regexp B").says(
        "write `not starts_with({A}, \"…\")`, `not ends_with`, `not contains` or `not matches({A}, \"pattern\")`",
        "metric m = count() { from events where name not like \"a%\" }",
    ),
    ANYWHERE.of("like", "A like|ilike|rlike|regexp B").says(
        "write `starts_with({A}, \"…\")`, `ends_with`, `contains` or, with a regular expression, \
         `matches({A}, \"pattern\")`",
        "metric m = count() { from events where name like \"%a%\" }",
    ),
    ANYWHERE.of("not between", "A not between B and C").says(
        "write `({A} < {B} or {A} > {C})`",
        "metric m = count() { from events where n not between 1 and 5 }",
    ),
    ANYWHERE.of("between", "A between B and C").says(
        "write `{A} >= {B} and {A} <= {C}`",
        "metric m = count() { from events where n between 1 and 5 }",
    ),
    ANYWHERE.of("in (select …)", "in ( select A.. )").says(
        "list the values, as in `in (1, 2)`, or keep them in a table and `lookup` the row",
        "metric m = count() { from events where n in (select id from vips) }",
    ),
    Phrase { place: Place::AtOperator, ..ANYWHERE }
        .of("=", "=")
        .says("`=` gives a name to a value; write `==`", "metric m = count() { from events where n = 1 }"),
    // Values.
    ANYWHERE.of("cast(x as type)", "cast|try_cast|safe_cast ( A.. as B.. )").says(
        "write `float({A})` or `int({A})`; a column of text gets its type where the source declares it",
        "metric m = sum(cast(n as float)) { from events }",
    ),
    ANYWHERE.of("x::type", "A : : B").says(
        "write `float({A})` or `int({A})`; a column of text gets its type where the source declares it",
        "metric m = sum(n::float) { from events }",
    ),
    ANYWHERE.of("case when … when …", "case when A.. then B.. when C.. end").says(
        "write `if {A} then {B} else if … then … else …`",
        "metric m = sum(case when n > 1 then 1 when n > 0 then 2 else 0 end) { from events }",
    ),
    ANYWHERE.of("case when", "case when A.. then B.. else C.. end").says(
        "write `if {A} then {B} else {C}`",
        "metric m = sum(case when n > 1 then price else 0 end) { from events }",
    ),
    ANYWHERE.of("case when … end", "case when A.. then B.. end").says(
        "write `if {A} then {B} else none`; in an aggregate rather `where {A}` after it",
        "metric m = sum(case when flag then n end) { from events }",
    ),
    ANYWHERE.of("case x when", "case A when").says(
        "write `if {A} == … then … else …`",
        "metric m = sum(case n when 1 then 10 else 0 end) { from events }",
    ),
    ANYWHERE.of("if(a, b, c)", "if ( A.. , B.. , C.. )").says(
        "write `if {A} then {B} else {C}`",
        "metric m = sum(if(flag, n, 0)) { from events }",
    ),
    ANYWHERE.of("a ? b : c", "A ? B.. : C").from("C").says(
        "write `if {A} then {B} else {C}`",
        "metric m = sum(flag ? n : 0) { from events }",
    ),
    ANYWHERE.of("b if a else c", "A if B.. else C").from("Python").says(
        "write `if {B} then {A} else {C}`",
        "metric m = sum(n if flag else 0) { from events }",
    ),
    ANYWHERE.of("interval '1 day'", "interval S").says(
        "write a duration without quotes: `30s`, `5m`, `24h` or `7d`",
        "metric m = count() { from events where took > interval \"1 hour\" }",
    ),
    ANYWHERE.of("timestamp '…'", "timestamp|date S").says(
        "write {S} alone: it takes the type of what it is compared with",
        "metric m = count() { from events where day_of > date \"2026-01-01\" }",
    ),
    ANYWHERE.of("extract(part from x)", "extract ( N from A.. )").says(
        "write `{N}({A})`, in local time `{N}({A}) in CALENDAR`",
        "metric m = count() { from events by extract(hour from at) as hour }",
    ),
    ANYWHERE.of("**", "A * * B").from("Python").says(
        "there is no power: write `{A} * {A}`",
        "metric m = sum(n ** 2) { from events }",
    ),
    // Clauses.
    AT_ERROR
        .of("group by", "group by A")
        .says("write `by {A}`", "metric m = count() { from events group by name }"),
    AT_ERROR.of("order by", "order|sort by").says(
        "remove it: rows come in the order of windows and keys; the greatest ones are `top(10, x, by: sum(y))`",
        "metric m = count() { from events by name order by name }",
    ),
    AT_ERROR.of("limit", "limit|top|fetch A").says(
        "remove it: a metric has all of its rows; the greatest ones are `top(10, x, by: sum(y))`",
        "metric m = count() { from events by name limit 10 }",
    ),
    AT_ERROR.of("having", "having|qualify").says(
        "`where` chooses events; to choose results, write a metric of this one: `if m > 10 then m else none`",
        "metric m = count() { from events by name having count() > 10 }",
    ),
    AT_ERROR.of("filter", "filter").says(
        "write `where`",
        "metric m = count() { from events filter n > 1 }",
    ),
    AT_ERROR.of("when", "when").says(
        "a condition on events is `where`; a choice between values is `if … then … else …`",
        "metric m = count() { from events when n > 1 }",
    ),
    AT_ERROR.of("window", "window").says(
        "write `every 1h`, `every day in CALENDAR`, `over last 24h step 1h` or `session gap 30m`",
        "metric m = count() { from events window 1h }",
    ),
    AT_ERROR.of("join", "join|inner|left|right|full|cross|using|on").says(
        "write `lookup row = TABLE[KEY]`, then `row.column`; the table is a file beside this one",
        "metric m = count() { from events join shops on name == id }",
    ),
    AT_ERROR.of("union", "union|intersect|except").says(
        "a metric reads one source; metrics of several sources are combined in a derived one: `a + b`",
        "metric m = count() { from events union others }",
    ),
    ANYWHERE.of("select", "select A").says(
        "the value stands alone: `metric NAME = sum(x) { from SOURCE }`",
        "metric m = select sum(n) { from events }",
    ),
    ANYWHERE.of("from x as y", "from A as B").says(
        "leave out `as {B}`: a metric has one source, whose fields stand alone",
        "metric m = sum(n) { from events as e }",
    ),
    AT_ERROR.of("as", "as A").says(
        "a metric is named before its `=`; several values are a record, `{ {A}: …, other: … }`; in clauses, `let {A} = …` \
         names a value and `by … as {A}` a key",
        "metric m = sum(n) as total { from events }",
    ),
    // Metrics of time series, and method calls.
    ANYWHERE.of("rate(x[5m])", "rate|irate|increase|idelta|delta|deriv ( A [ B ] )").from("PromQL").says(
        "metrics count events, not what a counter has reached: `count()` or `sum(x)` with `every {B}`; for a rate, divide \
         by the seconds",
        "metric m = rate(n[5m]) { from events }",
    ),
    ANYWHERE
        .of(
            "sum_over_time(x[5m])",
            "sum_over_time|avg_over_time|min_over_time|max_over_time|count_over_time|last_over_time|quantile_over_time \
             ( A [ B ] )",
        )
        .from("PromQL")
        .says(
            "the window is a clause: `sum({A})` with `every {B}`, or with `over last {B} step 1m`",
            "metric m = sum_over_time(n[5m]) { from events }",
        ),
    ANYWHERE.of("x{label=\"a\"}", "A { B = S").from("PromQL").says(
        "write `where {B} == {S}`",
        "metric m = sum(n{name=\"a\"}) { from events }",
    ),
    ANYWHERE.of("sum by (x) (…)", "sum|avg|mean|count|min|max|quantile|topk by|without ( A.. )").from("PromQL").says(
        "keys are a clause: `{ from SOURCE  by {A} }`",
        "metric m = sum by (name) (n) { from events }",
    ),
    ANYWHERE.of("x.f(…)", "A . N (").from("Python").says(
        "functions are called with their values: `{N}({A})`",
        "metric m = n.sum() { from events }",
    ),
];
