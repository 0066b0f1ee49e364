use std::sync::Arc;

use metricc_ir::{
    Aggregate, AggregateOp, Calendar, CalendarUnit, Each, Expr, ExprKind, Field, Func, Key, Kind, Output,
    Type,
};

use super::*;

const DAY_IN_INDIA: fn() -> Window =
    || Window::Calendar(CalendarUnit::Day, Calendar { zone: "Asia/Kolkata".to_owned(), week_start: 1 });

fn field(name: &str, ty: Type) -> Field {
    Field::new(name, ty)
}

/// `at: timestamp time, id: int key, k: string?, tags: list<string>, x: int = 7`.
fn source() -> Arc<Source> {
    let mut fields = vec![
        field("at", Type::of(Kind::Timestamp)),
        field("id", Type::of(Kind::Int)),
        field("k", Type::optional(Kind::String)),
        field("tags", Type::of(Kind::List(Box::new(Type::of(Kind::String))))),
        field("x", Type::of(Kind::Int)),
    ];
    fields[4].default = Some(Value::Int(7));
    Arc::new(Source { name: "events".to_owned(), doc: String::new(), fields, time: 0, identity: vec![1] })
}

fn column(index: usize, ty: Type) -> Expr {
    Expr { kind: ExprKind::Column(index), ty }
}

fn metric(keys: &[&str], window: Window, aggregates: Vec<Aggregate>) -> Metric {
    let keys = keys.iter().map(|name| match *name {
        "k" => Key { name: "k".to_owned(), expr: column(2, Type::optional(Kind::String)) },
        name => Key { name: name.to_owned(), expr: column(5, Type::of(Kind::String)) },
    });
    let outputs = aggregates.iter().enumerate().map(|(index, aggregate)| Output {
        name: (aggregates.len() > 1).then(|| format!("o{index}")),
        expr: column(index, aggregate.ty.clone()),
    });
    Metric {
        name: "m".to_owned(),
        doc: String::new(),
        source: source(),
        each: Vec::new(),
        filter: None,
        keys: keys.collect(),
        window,
        outputs: outputs.collect(),
        aggregates,
        unit: None,
    }
}

fn count() -> Aggregate {
    Aggregate { op: AggregateOp::Count, args: Vec::new(), filter: None, lost: None, ty: Type::of(Kind::Int) }
}

fn sum_of_x() -> Aggregate {
    let arg = Some(column(4, Type::of(Kind::Int)));
    Aggregate {
        op: AggregateOp::Sum,
        args: arg.into_iter().collect(),
        filter: None,
        lost: None,
        ty: Type::of(Kind::Int128),
    }
}

fn event(at: &str, id: i64, k: Option<&str>, tags: &[&str], x: Option<i64>) -> Event {
    let micros = at.parse::<jiff::Timestamp>().expect("an instant").as_microsecond();
    let mut event = Event::from([
        ("at".to_owned(), Value::Timestamp(micros)),
        ("id".to_owned(), Value::Int(id)),
        ("tags".to_owned(), Value::List(tags.iter().map(|tag| Value::String((*tag).to_owned())).collect())),
    ]);
    event.extend(k.map(|k| ("k".to_owned(), Value::String(k.to_owned()))));
    event.extend(x.map(|x| ("x".to_owned(), Value::Int(x))));
    event
}

fn lines(metric: &Metric, events: &[Event]) -> Vec<String> {
    evaluate(metric, events).iter().map(Row::line).collect()
}

#[test]
fn c23_an_ungrouped_metric_over_nothing_has_one_row_and_a_keyed_one_none() {
    let all = metric(&[], Window::AllTime, vec![count(), sum_of_x()]);
    assert_eq!(lines(&all, &[]), [r#"{"metric":"m","key":{},"window":null,"value":{"o0":0,"o1":0}}"#]);
    assert_eq!(lines(&metric(&["k"], Window::AllTime, vec![count()]), &[]), [""; 0]);
    assert_eq!(lines(&metric(&[], Window::Tumbling(1), vec![count()]), &[]), [""; 0]);
}

#[test]
fn c24_none_is_a_group_and_comes_first() {
    let keyed = metric(&["k"], Window::AllTime, vec![count()]);
    let at = "2024-01-01T00:00:00Z";
    let events = [
        event(at, 1, Some("b"), &[], None),
        event(at, 2, None, &[], None),
        event(at, 3, Some(""), &[], None),
        event(at, 4, None, &[], None),
    ];
    let expected = [("null", 2), ("\"\"", 1), ("\"b\"", 1)]
        .map(|(key, count)| format!(r#"{{"metric":"m","key":{{"k":{key}}},"window":null,"value":{count}}}"#));
    assert_eq!(lines(&keyed, &events), expected);
}

#[test]
fn c78_of_events_with_one_identity_the_first_counts() {
    let at = "2024-01-01T00:00:00Z";
    let events =
        [event(at, 1, None, &[], Some(5)), event(at, 1, None, &[], Some(9)), event(at, 2, None, &[], None)];
    let all = metric(&[], Window::AllTime, vec![sum_of_x()]);
    assert_eq!(lines(&all, &events), [r#"{"metric":"m","key":{},"window":null,"value":12}"#]);
    let mut without_identity = all;
    Arc::make_mut(&mut without_identity.source).identity.clear();
    assert_eq!(lines(&without_identity, &events), [r#"{"metric":"m","key":{},"window":null,"value":21}"#]);
}

#[test]
fn c57_an_event_at_the_end_of_a_window_is_in_the_next() {
    let hourly = metric(&[], Window::Tumbling(3_600_000_000), vec![count()]);
    let events = ["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"];
    let events: Vec<Event> = (0..).zip(events).map(|(id, at)| event(at, id, None, &[], None)).collect();
    let window = |start: &str, end: &str| {
        format!(r#"{{"metric":"m","key":{{}},"window":{{"start":"{start}","end":"{end}"}},"value":1}}"#)
    };
    let expected = [
        window("1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"),
        window("1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"),
        window("1970-01-01T01:00:00Z", "1970-01-01T02:00:00Z"),
    ];
    assert_eq!(lines(&hourly, &events), expected);
}

#[test]
fn c79_a_late_event_is_counted_in_its_own_day() {
    let daily = metric(&[], DAY_IN_INDIA(), vec![count()]);
    let events = [
        event("2026-04-25T19:00:00Z", 1, None, &[], None),
        event("2026-04-25T10:00:00Z", 2, None, &[], None),
    ];
    let expected = [("25", "26"), ("26", "27")].map(|(start, end)| {
        let (start, end) =
            (format!("2026-04-{start}T00:00:00+05:30"), format!("2026-04-{end}T00:00:00+05:30"));
        format!(r#"{{"metric":"m","key":{{}},"window":{{"start":"{start}","end":"{end}"}},"value":1}}"#)
    });
    assert_eq!(lines(&daily, &events), expected);
}

#[test]
fn each_gives_one_row_per_element() {
    let mut by_tag = metric(&["tag"], Window::AllTime, vec![count()]);
    let tags = column(3, Type::of(Kind::List(Box::new(Type::of(Kind::String)))));
    by_tag.each = vec![Each { name: "tag".to_owned(), list: tags }];
    let at = "2024-01-01T00:00:00Z";
    let events = [event(at, 1, None, &["a", "b", "a"], None), event(at, 2, None, &[], None)];
    let expected = [("a", 2), ("b", 1)].map(|(tag, count)| {
        format!(r#"{{"metric":"m","key":{{"tag":"{tag}"}},"window":null,"value":{count}}}"#)
    });
    assert_eq!(lines(&by_tag, &events), expected);
}

#[test]
fn c26_only_a_filter_that_is_true_lets_a_row_through() {
    let mut filtered = metric(&["k"], Window::AllTime, vec![count()]);
    let k = column(2, Type::optional(Kind::String));
    let a = Expr { kind: ExprKind::Literal(Value::String("a".to_owned())), ty: Type::of(Kind::String) };
    filtered.filter =
        Some(Expr { kind: ExprKind::Call(Func::Gt, vec![k, a]), ty: Type::optional(Kind::Bool) });
    let at = "2024-01-01T00:00:00Z";
    let events = [
        event(at, 1, None, &[], None),
        event(at, 2, Some("a"), &[], None),
        event(at, 3, Some("b"), &[], None),
    ];
    assert_eq!(lines(&filtered, &events), [r#"{"metric":"m","key":{"k":"b"},"window":null,"value":1}"#]);
}

#[test]
fn a_filter_behind_an_aggregate_leaves_the_group_in_place() {
    let mut keyed = metric(&["k"], Window::AllTime, vec![count()]);
    let never = Expr { kind: ExprKind::Literal(Value::Bool(false)), ty: Type::of(Kind::Bool) };
    keyed.aggregates[0].filter = Some(never);
    let events = [event("2024-01-01T00:00:00Z", 1, Some("a"), &[], None)];
    assert_eq!(lines(&keyed, &events), [r#"{"metric":"m","key":{"k":"a"},"window":null,"value":0}"#]);
}

#[test]
fn c86_a_ratio_of_aggregates_is_of_the_whole_group() {
    let mut ratio = metric(&[], Window::AllTime, vec![sum_of_x(), count()]);
    let args = vec![column(0, Type::of(Kind::Int128)), column(1, Type::of(Kind::Int))];
    let expr = Expr { kind: ExprKind::Call(Func::Ratio, args), ty: Type::optional(Kind::Float) };
    ratio.outputs = vec![Output { name: None, expr }];
    let at = "2024-01-01T00:00:00Z";
    let events = [
        event(at, 1, None, &[], Some(1)),
        event(at, 2, None, &[], Some(2)),
        event(at, 3, None, &[], Some(2)),
    ];
    assert_eq!(
        lines(&ratio, &events),
        [r#"{"metric":"m","key":{},"window":null,"value":1.6666666666666667}"#]
    );
    assert_eq!(lines(&ratio, &[]), [r#"{"metric":"m","key":{},"window":null,"value":null}"#]);
}

#[test]
fn an_event_of_a_date_is_in_the_window_of_that_date_in_every_zone() {
    let zone =
        |zone: &str| Window::Calendar(CalendarUnit::Day, Calendar { zone: zone.to_owned(), week_start: 1 });
    let start = |window: Window, days: i64| {
        let (start, _) = window_of(&window, &Datum::Date(days)).expect("a window");
        utc_text(start)
    };
    assert_eq!(start(zone("America/New_York"), 19_792), "2024-03-10T05:00:00Z");
    assert_eq!(start(zone("Asia/Kolkata"), 19_792), "2024-03-09T18:30:00Z");
    assert_eq!(start(Window::Tumbling(3_600_000_000), 19_792), "2024-03-10T00:00:00Z");
    // Apia had no 30 December 2011: the first instant after it is that of the 31st.
    assert_eq!(start(zone("Pacific/Apia"), 15_338), "2011-12-30T10:00:00Z");
}
