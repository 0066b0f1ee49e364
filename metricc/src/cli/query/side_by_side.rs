//! Several metrics side by side: their rows of one frontier, joined by window and keys.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use metricc_client::{RangeBound, Served};
use serde_json::{Map, Value, json};

use super::row::{QueryRow, has_partial, has_totals};
use crate::cli::terminal::Failure;

/// A table of the rows of several metrics.
#[derive(Debug, Default)]
pub(super) struct SideBySide {
    /// Names of the columns.
    pub(super) header: Vec<String>,
    /// Rows of cells; null where a metric has no row.
    pub(super) rows: Vec<Vec<Value>>,
    /// The same rows as objects: window, keys, and for each metric its values.
    pub(super) objects: Vec<Value>,
}

/// What rows are joined by.
type Place = (String, Vec<String>, Vec<String>);

impl SideBySide {
    /// # Errors
    /// [`Failure::Message`] if windows or keys of the metrics differ.
    pub(super) fn of(answers: &[Served]) -> Result<Self, Failure> {
        let rows = answers.iter().map(|served| QueryRow::all(&served.rows)).collect::<Result<Vec<_>, _>>()?;
        check_keys(answers, &rows)?;
        check_windows(answers, &rows)?;
        let all = || rows.iter().flatten();
        let (is_partial, with_totals) = (has_partial(all()), has_totals(all()));
        let Some(first) = all().next() else { return Ok(SideBySide::default()) };
        let keys: Vec<&str> = first.key.0.iter().map(|(name, _)| name.as_str()).collect();
        let groups = first.groups(is_partial, with_totals).into_iter().map(|(name, _)| name);
        let mut header: Vec<String> = groups.collect();
        let n_groups = header.len();
        let mut places: BTreeMap<Place, usize> = BTreeMap::new();
        let mut joined: Vec<(&QueryRow, Vec<Value>, Map<String, Value>)> = Vec::new();
        for (served, rows) in answers.iter().zip(&rows) {
            let own = rows.first().map(|row| names(&served.metric, row)).unwrap_or_default();
            let n_before = header.len() - n_groups;
            let n_columns = n_before + own.len();
            header.extend(own);
            for row in rows {
                let index = *places.entry(place(row, &keys)).or_insert_with(|| {
                    joined.push((row, Vec::new(), Map::new()));
                    joined.len() - 1
                });
                let values = row.values("value");
                joined[index].1.resize(n_before, Value::Null);
                joined[index].1.extend(values.iter().map(|(_, value)| value.clone()));
                let of_metric = match &values[..] {
                    [(name, value)] if name == "value" => value.clone(),
                    values => Value::Object(values.iter().cloned().collect()),
                };
                joined[index].2.insert(served.metric.clone(), of_metric);
            }
            joined.iter_mut().for_each(|(_, values, _)| values.resize(n_columns, Value::Null));
        }
        joined.sort_by(|(left, ..), (right, ..)| order(left, right, &keys));
        let mut table = SideBySide { header, ..SideBySide::default() };
        for (row, values, metrics) in joined {
            let keys: Vec<Value> = keys.iter().map(|key| key_of(row, key).clone()).collect();
            let groups = row.groups(is_partial, with_totals).into_iter().map(|(_, value)| value);
            let groups = groups.take(n_groups - keys.len()).chain(keys);
            table.rows.push(groups.chain(values).collect());
            table.objects.push(object(row, &metrics));
        }
        Ok(table)
    }
}

fn object(row: &QueryRow, metrics: &Map<String, Value>) -> Value {
    let key: Map<String, Value> = row.key.0.iter().cloned().collect();
    let mut object = json!({ "key": key, "window": row.window, "value": metrics });
    if !row.rolled_up.is_empty() {
        object["rolled_up"] = json!(row.rolled_up);
    }
    object
}

/// The columns of a metric: its name for a value without one, else `METRIC.NAME`.
fn names(metric: &str, row: &QueryRow) -> Vec<String> {
    let values = row.values("");
    let name = |(name, _): (String, Value)| match name.as_str() {
        "" => metric.to_owned(),
        name => format!("{metric}.{name}"),
    };
    values.into_iter().map(name).collect()
}

fn key_of<'a>(row: &'a QueryRow, name: &str) -> &'a Value {
    row.key.0.iter().find(|(known, _)| known == name).map_or(&Value::Null, |(_, value)| value)
}

fn place(row: &QueryRow, keys: &[&str]) -> Place {
    let keys = keys.iter().map(|key| key_of(row, key).to_string()).collect();
    (row.window.to_string(), keys, row.rolled_up.clone())
}

/// Rows stand by window, then keys, totals after the rows that they are of.
fn order(left: &QueryRow, right: &QueryRow, keys: &[&str]) -> Ordering {
    let by_key = |key: &&str| {
        let is_rolled_up = |row: &QueryRow| row.rolled_up.iter().any(|name| name == key);
        is_rolled_up(left)
            .cmp(&is_rolled_up(right))
            .then_with(|| order_of_values(key_of(left, key), key_of(right, key)))
    };
    let of_windows = window(left).cmp(&window(right));
    keys.iter().map(by_key).fold(of_windows, Ordering::then)
}

fn order_of_values(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (left, right) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => left.to_string().cmp(&right.to_string()),
        },
    }
}

/// The first instant (µs) of a window, and the first one after it; `None` for all time.
type Span = Option<(i64, i64)>;

fn window(row: &QueryRow) -> Span {
    let bound = |end: &str| row.window[end].as_str()?.parse::<RangeBound>().ok();
    let instant = |end: &str| Some(bound(end)?.first_instant(|_| 0));
    Some((instant("start")?, instant("end")?))
}

fn check_keys(answers: &[Served], rows: &[Vec<QueryRow>]) -> Result<(), Failure> {
    let keys = |row: &QueryRow| row.key.0.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let of_metrics =
        answers.iter().zip(rows).filter_map(|(served, rows)| Some((served, keys(rows.first()?))));
    let of_metrics: Vec<(&Served, BTreeSet<String>)> = of_metrics.collect();
    for pair in of_metrics.windows(2) {
        let [(one, of_one), (other, of_other)] = pair else { continue };
        if of_one != of_other {
            let list = |keys: &BTreeSet<String>| match keys.is_empty() {
                true => "no keys".to_owned(),
                false => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
            };
            let common: Vec<&str> = of_one.intersection(of_other).map(String::as_str).collect();
            return Err(Failure::Message(format!(
                "`{}` and `{}` do not stand side by side: the rows of the first have {}, those of the second {}\n  help: \
                 choose the keys that both have with `--by '{}'`",
                one.metric,
                other.metric,
                list(of_one),
                list(of_other),
                common.join(",")
            )));
        }
    }
    Ok(())
}

/// Windows of two metrics are equal or apart, unless each window of both overlaps others and has one length.
fn check_windows(answers: &[Served], rows: &[Vec<QueryRow>]) -> Result<(), Failure> {
    let windows = |rows: &[QueryRow]| rows.iter().map(window).collect::<BTreeSet<_>>();
    let of_metrics: Vec<_> = answers.iter().zip(rows).map(|(served, rows)| (served, windows(rows))).collect();
    let of_metrics: Vec<_> = of_metrics.into_iter().filter(|(_, windows)| !windows.is_empty()).collect();
    for pair in of_metrics.windows(2) {
        let [(one, of_one), (other, of_other)] = pair else { continue };
        let overlap = |all: &BTreeSet<Span>| {
            let all: Vec<_> = all.iter().flatten().collect();
            all.windows(2).any(|pair| pair[1].0 < pair[0].1)
        };
        let lengths = |all: &BTreeSet<Span>| {
            all.iter().flatten().map(|(start, end)| end - start).collect::<BTreeSet<_>>()
        };
        let both = of_one.union(of_other).copied().collect::<BTreeSet<_>>();
        let has_none = of_one.contains(&None) != of_other.contains(&None);
        let is_sliding = overlap(of_one) || overlap(of_other);
        let differ = has_none || (overlap(&both) && !(is_sliding && lengths(&both).len() == 1));
        if differ {
            return Err(Failure::Message(format!(
                "`{}` and `{}` do not stand side by side: their windows differ\n  help: choose the same windows for all with \
                 `--grain`, such as `--grain day` or `--grain all`, or query them one by one",
                one.metric, other.metric
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(metric: &str, rows: &[Value]) -> Served {
        let rows = rows.iter().map(|row| serde_json::value::to_raw_value(row).expect("JSON")).collect();
        Served {
            metric: metric.to_owned(),
            hash: String::new(),
            frontier: Vec::new(),
            epoch: None,
            unit: None,
            notes: Vec::new(),
            rows,
            next: None,
            receipt: None,
        }
    }

    fn row(hour: u32, hours: u32, key: &Value, value: &Value) -> Value {
        let at = |hour: u32| format!("2026-04-01T{hour:02}:00:00Z");
        json!({ "key": key, "window": { "start": at(hour), "end": at(hour + hours) }, "value": value })
    }

    fn problem(answers: &[Served]) -> String {
        match SideBySide::of(answers) {
            Err(Failure::Message(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_joined_by_window_and_keys() {
        let (a, b) = (json!({ "k": "a" }), json!({ "k": "b" }));
        let mut total = row(1, 1, &json!({ "k": null }), &json!(9));
        total["rolled_up"] = json!(["k"]);
        let one = served("n", &[row(1, 1, &b, &json!(1)), total, row(2, 1, &a, &json!(2))]);
        let of = |x: u32| json!({ "x": x, "y": null });
        let other = served("m", &[row(1, 1, &a, &of(3)), row(1, 1, &b, &of(4))]);
        let table = SideBySide::of(&[one, other]).expect("they agree");
        assert_eq!(table.header, ["window_start", "window_end", "rolled_up", "k", "n", "m.x", "m.y"]);
        let cells: Vec<Value> = table.rows.iter().map(|row| json!(row[2..])).collect();
        assert_eq!(
            cells,
            [
                json!([null, "a", null, 3, null]),
                json!([null, "b", 1, 4, null]),
                json!(["k", null, 9, null, null]),
                json!([null, "a", 2, null, null]),
            ]
        );
        assert_eq!(table.objects[1]["value"], json!({ "n": 1, "m": of(4) }));
        assert_eq!(table.objects[3]["value"], json!({ "n": 2 }));
    }

    #[test]
    fn keys_and_windows_agree_or_there_is_no_table() {
        let (k, none, one) = (json!({ "k": "a" }), json!({}), json!(1));
        let said = problem(&[served("n", &[row(1, 1, &k, &one)]), served("m", &[row(1, 1, &none, &one)])]);
        assert!(
            said.contains("have `k`, those of the second no keys") && said.contains("`--by ''`"),
            "{said}"
        );
        let said = problem(&[served("n", &[row(1, 1, &k, &one)]), served("m", &[row(0, 3, &k, &one)])]);
        assert!(said.contains("their windows differ"), "{said}");
        let all_time = json!({ "key": k, "window": null, "value": 1 });
        let said = problem(&[served("n", &[row(1, 1, &k, &one)]), served("m", &[all_time])]);
        assert!(said.contains("their windows differ"), "{said}");
        let sliding = |first: u32| [row(first, 3, &k, &one), row(first + 1, 3, &k, &one)];
        assert!(SideBySide::of(&[served("n", &sliding(1)), served("m", &sliding(2))]).is_ok());
        assert!(SideBySide::of(&[served("n", &sliding(1)), served("m", &[row(2, 1, &k, &one)])]).is_err());
    }
}
