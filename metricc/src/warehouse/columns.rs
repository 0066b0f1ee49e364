//! Which column of a file has which key, window or value.

use std::collections::BTreeMap;

use metricc_ir::{RowType, Window, suggest};

/// The name of the start of each window.
pub(crate) const WINDOW: &str = "window_start";

/// Which columns have what: those that are named, and otherwise those of the names of the metric.
#[derive(Debug, Default)]
pub(crate) struct Columns(BTreeMap<String, String>);

/// What a file must have.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Its name in the metric.
    pub(super) name: String,
    /// Its column.
    pub(super) column: String,
}

impl Columns {
    /// Those that are named: `(NAME, COLUMN)`, the column of the window, and that of the only value.
    ///
    /// # Errors
    /// A message: the metric has nothing of the name, or two columns are named for it.
    pub(crate) fn new(
        metric: &RowType,
        named: &[(String, String)],
        window: Option<&str>,
        value: Option<&str>,
    ) -> Result<Self, String> {
        let names: Vec<&str> = names(metric).collect();
        let mut columns = BTreeMap::new();
        for (name, column) in named {
            if !names.contains(&name.as_str()) {
                let help = match suggest::lookalike(name, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", list(&names)),
                };
                let metric = &metric.name;
                return Err(format!(
                    "`--column`: `{metric}` has no key, window or value `{name}`\n  help: {help}"
                ));
            }
            if let Some(other) = columns.insert(name.clone(), column.clone()) {
                return Err(format!("`--column`: `{name}` is both `{other}` and `{column}`"));
            }
        }
        if let (Some(value), [_, _, ..]) = (value, &metric.outputs[..]) {
            let outputs: Vec<&str> = metric.output_names().collect();
            return Err(format!(
                "`--value` names the column of a metric with one value, and `{}` has {}\n  help: name the columns as the \
                 values: {}, or say which is which, such as `--column {}={value}`",
                metric.name,
                outputs.len(),
                list(&outputs),
                outputs.first().copied().unwrap_or_default(),
            ));
        }
        let only = metric.output_names().next().unwrap_or_default();
        for (option, name, column) in [("--window", WINDOW, window), ("--value", only, value)] {
            let Some(column) = column else { continue };
            if columns.insert(name.to_owned(), column.to_owned()).is_some() {
                return Err(format!("`{option}` and `--column {name}=…` both name a column: leave out one"));
            }
        }
        Ok(Columns(columns))
    }

    /// The column of a name.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, |column| column)
    }

    /// Whether the column is named by an option.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All that the file must have: the window and the keys, and then the values.
    pub(super) fn wanted(&self, metric: &RowType) -> Vec<Wanted> {
        let wanted = |name: &str| Wanted { name: name.to_owned(), column: self.of(name).to_owned() };
        names(metric).map(wanted).collect()
    }
}

/// The names of the window, the keys and the values.
fn names(metric: &RowType) -> impl Iterator<Item = &str> {
    let window = (metric.window != Window::AllTime).then_some(WINDOW);
    window.into_iter().chain(metric.keys.iter().map(|key| key.name.as_str())).chain(metric.output_names())
}

/// That a file lacks columns, with those that it has, and how to say which is which.
pub(super) fn lack_text(path: &str, lacking: &[&Wanted], wanted: &[Wanted], has: &[String]) -> String {
    let columns: Vec<&str> = lacking.iter().map(|wanted| wanted.column.as_str()).collect();
    let noun = if columns.len() == 1 { "column" } else { "columns" };
    let is_free = |column: &&str| !wanted.iter().any(|wanted| wanted.column == **column);
    let mut free: Vec<&str> = has.iter().map(String::as_str).filter(is_free).collect();
    let mut is_sure = true;
    let options = lacking.iter().map(|wanted| {
        let meant = match (lacking, &free[..]) {
            ([_], [only]) => Some(*only),
            _ => suggest::lookalike(&wanted.column, free.iter().copied())
                .or_else(|| suggest::lookalike(&wanted.name, free.iter().copied())),
        };
        is_sure &= meant.is_some();
        free.retain(|column| Some(*column) != meant);
        format!("--column {}={}", wanted.name, meant.unwrap_or("COLUMN"))
    });
    let options = options.collect::<Vec<_>>().join(" ");
    let has: Vec<&str> = has.iter().map(String::as_str).collect();
    let help = match is_sure {
        true => format!("did you mean `{options}`?"),
        false => format!("say which has what: `{options}`"),
    };
    format!("{path} has no {noun} {}\n  help: its columns are {}; {help}", list(&columns), list(&has))
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
