//! A row of `expect` → the group that it is of, and what is expected of it.

use super::{TestChecker, line_of};
use crate::ast::{Datum, Name, RowItem};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::calendar::{BucketRule, WindowCut, date_text, instant_text};
use metricc_ir::expression_text::{self, unit_name};
use metricc_ir::suggest;
use metricc_ir::{ExpectedRow, Kind, RowType, Type, Value, Window};

/// What a name in a row stands for.
enum Column {
    Key(usize),
    Output(usize),
    Start,
    End,
    /// The first date of a bucket, by its unit.
    Date,
}

impl TestChecker<'_> {
    pub(super) fn expected_row(&mut self, metric: &RowType, row: &RowItem) -> Option<ExpectedRow> {
        self.names_once(row)?;
        let mut keys = vec![None; metric.keys.len()];
        let mut outputs = vec![None; metric.outputs.len()];
        let (mut start, mut end) = (None, None);
        let mut is_sound = true;
        for (name, datum) in &row.cells {
            let Some(column) = column(metric, &name.text) else {
                self.unknown_column(metric, name);
                is_sound = false;
                continue;
            };
            is_sound &= match column {
                Column::Key(place) => {
                    keys[place] = self.value(datum, &metric.keys[place].ty);
                    keys[place].is_some()
                }
                Column::Output(place) => {
                    outputs[place] = self.value(datum, &metric.outputs[place].ty);
                    outputs[place].is_some()
                }
                Column::Start => {
                    self.start(metric, datum).and_then(|at| self.one_start(&mut start, at, datum)).is_some()
                }
                Column::Date => {
                    self.date(metric, datum).and_then(|at| self.one_start(&mut start, at, datum)).is_some()
                }
                Column::End => self.end(metric, datum).map(|at| end = Some(at)).is_some(),
            };
        }
        is_sound.then_some(())?;
        if let (Some(start), Some(end), Some(of_end)) =
            (start, end, end.and_then(|end| start_of(&metric.window, end)))
            && start != of_end
        {
            let message = "no window has this start and this end";
            let help = format!(
                "the one that ends at {} starts at {}",
                instant_text(end, None),
                instant_text(of_end, None)
            );
            self.report(Diagnostic::new(Code::TestRow, message, row.span, "").help(help));
            return None;
        }
        let has_window = start.is_some() || end.is_some();
        self.complete(metric, row.span, &keys, &outputs, has_window)?;
        let keys = keys.into_iter().collect::<Option<_>>()?;
        Some(ExpectedRow { line: line_of(self.text, row.span), start, end, keys, outputs })
    }

    /// Reports what a row lacks to say which group is meant, and what is expected of it.
    fn complete(
        &mut self,
        metric: &RowType,
        span: Span,
        keys: &[Option<Value>],
        outputs: &[Option<Value>],
        has_window: bool,
    ) -> Option<()> {
        let mut lacking: Vec<String> = Vec::new();
        if metric.window != Window::AllTime && !has_window {
            lacking.push(match unit(metric) {
                Some(unit) => format!("`{unit}`"),
                None => "`start`".to_owned(),
            });
        }
        let missing = metric.keys.iter().zip(keys).filter(|(_, value)| value.is_none());
        lacking.extend(missing.map(|(key, _)| format!("`{}`", key.name)));
        if outputs.iter().all(Option::is_none) {
            let names: Vec<&str> = metric.output_names().collect();
            lacking.push(suggest::one_of(&names));
        }
        if lacking.is_empty() {
            return Some(());
        }
        let message = format!("the row lacks {}", lacking.join(", "));
        self.report(
            Diagnostic::new(Code::TestRow, message, span, "")
                .help("a row names its window, all keys, and at least one value"),
        );
        None
    }

    fn unknown_column(&mut self, metric: &RowType, name: &Name) {
        let mut known: Vec<&str> = metric.keys.iter().map(|key| key.name.as_str()).collect();
        known.extend(metric.output_names());
        known.extend(unit(metric));
        if metric.window != Window::AllTime {
            known.extend(["start", "end"]);
        }
        self.unknown(name, format!("metric `{}` has no `{}`", metric.name, name.text), &known);
    }

    fn instant(&mut self, datum: &Datum) -> Option<i64> {
        match self.value(datum, &Type::of(Kind::Timestamp))? {
            Value::Timestamp(micros) => Some(micros),
            _ => None,
        }
    }

    /// The start of a window, which has to be one where windows do not depend on events.
    fn start(&mut self, metric: &RowType, datum: &Datum) -> Option<i64> {
        let at = self.instant(datum)?;
        let start = WindowCut::new(&metric.window).map_or(at, |cut| cut.start_of(at));
        if start != at {
            let message = format!("no window of `{}` starts then", expression_text::window(&metric.window));
            let diagnostic = Diagnostic::new(Code::TestRow, message, datum.span(), "");
            let help = format!("that instant lies in the one that starts at {}", instant_text(start, None));
            self.report(diagnostic.help(help));
        }
        (start == at).then_some(at)
    }

    /// A window may be named by its start and by its date, if both say the same.
    fn one_start(&mut self, start: &mut Option<i64>, at: i64, datum: &Datum) -> Option<()> {
        if start.is_some_and(|known| known != at) {
            let diagnostic = Diagnostic::new(Code::TestRow, "the row names two windows", datum.span(), "");
            self.report(diagnostic.help("name the window by its start or by its date"));
            return None;
        }
        *start = Some(at);
        Some(())
    }

    /// The end of a window, likewise.
    fn end(&mut self, metric: &RowType, datum: &Datum) -> Option<i64> {
        let at = self.instant(datum)?;
        let is_end =
            matches!(metric.window, Window::Session { .. }) || start_of(&metric.window, at).is_some();
        if !is_end {
            let message = format!("no window of `{}` ends then", expression_text::window(&metric.window));
            let diagnostic = Diagnostic::new(Code::TestRow, message, datum.span(), "");
            self.report(diagnostic.help("a window ends where the next one starts"));
        }
        is_end.then_some(at)
    }

    fn date(&mut self, metric: &RowType, datum: &Datum) -> Option<i64> {
        let Value::Date(days) = self.value(datum, &Type::of(Kind::Date))? else { return None };
        let Window::Calendar(unit, calendar) = &metric.window else { return None };
        let rule = BucketRule::new(*unit, calendar)?;
        let bucket = rule.bucket_of_date(i64::from(days));
        let first = rule.zone().local_time(bucket.start_us).days;
        if first != i64::from(days) {
            let message =
                format!("no {} of this calendar begins on {}", unit_name(*unit), date_text(i64::from(days)));
            let diagnostic = Diagnostic::new(Code::TestRow, message, datum.span(), "");
            self.report(diagnostic.help(format!("that date lies in the one of {}", date_text(first))));
        }
        (first == i64::from(days)).then_some(bucket.start_us)
    }
}

/// Where the window that ends then starts; none if none does, or if that depends on events.
pub(super) fn start_of(window: &Window, end: i64) -> Option<i64> {
    WindowCut::new(window)?.start_before(end)
}

/// Keys and outputs go before windows.
fn column(metric: &RowType, name: &str) -> Option<Column> {
    if let Some(place) = metric.keys.iter().position(|key| key.name == name) {
        return Some(Column::Key(place));
    }
    if let Some(place) = metric.output_names().position(|known| known == name) {
        return Some(Column::Output(place));
    }
    match name {
        _ if metric.window == Window::AllTime => None,
        "start" => Some(Column::Start),
        "end" => Some(Column::End),
        _ => (unit(metric) == Some(name)).then_some(Column::Date),
    }
}

/// How windows of a calendar are called.
fn unit(metric: &RowType) -> Option<&'static str> {
    match &metric.window {
        Window::Calendar(unit, _) => Some(unit_name(*unit)),
        _ => None,
    }
}
