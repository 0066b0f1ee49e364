//! By which keys and windows the rows of two versions of a metric are compared.
//!
//! If both have the same keys and windows, it is by these. Otherwise states merge: both versions are read by
//! the keys that they have in common, and by the coarser windows if they consist of the finer ones, or else
//! over all time.

use metricc_ir::Kind;
use metricc_ir::{RecordField, RowType, Window, expression_text};
use metricc_runtime_serve::ReadOptions;

/// How the rows of two versions are read so that they can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Common {
    /// How those of the old version are read.
    pub old: ReadOptions,
    /// How those of the new version are read.
    pub new: ReadOptions,
    /// Why that is not row by row, if it is not, and by what it is.
    pub note: Option<String>,
}

impl Common {
    /// What two versions have in common.
    ///
    /// # Errors
    /// Why there is nothing.
    pub fn of(old: &RowType, new: &RowType) -> Result<Self, String> {
        let mut notes = Vec::new();
        let (old_keys, new_keys) = match keys(&old.keys, &new.keys) {
            None => (None, None),
            Some((of_old, of_new)) => {
                let names = |keys: &[RecordField]| list(keys.iter().map(|key| &*key.name));
                let common = list(of_old.iter().map(|key| &*old.keys[*key].name));
                let by = if of_old.is_empty() { "over all keys".to_owned() } else { format!("by {common}") };
                let what = if names(&old.keys) == names(&new.keys) { "types of keys" } else { "keys" };
                let (was, is) = (types(&old.keys), types(&new.keys));
                notes.push(format!("{what} differ ({was} in OLD, {is} in NEW): compared {by}"));
                (Some(of_old), Some(of_new))
            }
        };
        let (old_grain, new_grain) = grains(&old.window, &new.window)?;
        if let Some(grain) = old_grain.as_ref().or(new_grain.as_ref()) {
            let text = |window: &Window| expression_text::window(&window.cut());
            let by = match grain {
                Window::AllTime => "over all time".to_owned(),
                grain => format!("`{}`", text(grain)),
            };
            let (was, is) = (text(&old.window), text(&new.window));
            notes.push(format!("windows differ (`{was}` in OLD, `{is}` in NEW): compared {by}"));
        }
        let options = |keys, grain| ReadOptions { keys, grain, ..ReadOptions::default() };
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(Common { old: options(old_keys, old_grain), new: options(new_keys, new_grain), note })
    }
}

/// The keys that both have, as indices of each; `None` if both have the same.
fn keys(old: &[RecordField], new: &[RecordField]) -> Option<(Vec<usize>, Vec<usize>)> {
    // Names of enums are compared as texts.
    let plain = |kind: &Kind| if matches!(kind, Kind::Enum(_)) { Kind::String } else { kind.clone() };
    let is_alike =
        |a: &RecordField, b: &RecordField| a.name == b.name && plain(&a.ty.kind) == plain(&b.ty.kind);
    let common = old.iter().enumerate().filter_map(|(index, key)| {
        new.iter().position(|other| is_alike(key, other)).map(|other| (index, other))
    });
    let common: Vec<(usize, usize)> = common.collect();
    let is_whole = common.len() == old.len() && common.len() == new.len();
    (!is_whole).then(|| common.into_iter().unzip())
}

/// The grains by which windows of both have something in common; `None` for windows as they are.
fn grains(old: &Window, new: &Window) -> Result<(Option<Window>, Option<Window>), String> {
    if old.is_cut_as(new) {
        return Ok((None, None));
    }
    for window in [old, new] {
        if matches!(window, Window::Sliding { .. } | Window::Session { .. }) {
            let text = |window: &Window| expression_text::window(&window.cut());
            return Err(format!(
                "windows differ (`{}` in OLD, `{}` in NEW), and `{}` cannot be rolled up: there is nothing to compare",
                text(old),
                text(new),
                text(window)
            ));
        }
    }
    let whole = |window: &Window| (*window != Window::AllTime).then_some(Window::AllTime);
    Ok(match () {
        () if new.consists_of(old) => (Some(new.clone()), None),
        () if old.consists_of(new) => (None, Some(old.clone())),
        () => (whole(old), whole(new)),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn types(keys: &[RecordField]) -> String {
    if keys.is_empty() {
        return "none".to_owned();
    }
    keys.iter().map(|key| format!("`{}: {}`", key.name, key.ty)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use metricc_ir::{Calendar, CalendarUnit, Type};

    use super::*;

    fn row_type(keys: &[(&str, Kind)], window: Window) -> RowType {
        let keys = keys
            .iter()
            .map(|(name, kind)| RecordField { name: (*name).to_owned(), ty: Type::of(kind.clone()) });
        let (name, doc) = ("m".to_owned(), String::new());
        RowType { name, doc, keys: keys.collect(), window, outputs: Vec::new(), unit: None }
    }

    #[test]
    fn the_same_keys_in_another_order_are_the_same() {
        let (a, b) = (("a", Kind::String), ("b", Kind::Int));
        let of_enum = ("a", Kind::Enum(["x".to_owned()].into()));
        let hour = Window::Tumbling(3_600_000_000);
        let common = Common::of(
            &row_type(&[a.clone(), b.clone()], hour.clone()),
            &row_type(&[b.clone(), of_enum], hour.clone()),
        );
        assert_eq!(common.unwrap().note, None);
        let common = Common::of(
            &row_type(&[a.clone(), b.clone()], hour.clone()),
            &row_type(&[b, ("c", Kind::Int)], hour),
        );
        let common = common.unwrap();
        assert_eq!((common.old.keys, common.new.keys), (Some(vec![1]), Some(vec![0])));
        let note = common.note.unwrap();
        assert!(note.ends_with("compared by `b`"), "{note}");
    }

    #[test]
    fn finer_windows_are_rolled_up_and_others_are_compared_over_all_time() {
        let day = |zone: &str| {
            Window::Calendar(CalendarUnit::Day, Calendar { zone: zone.to_owned(), week_start: 1 })
        };
        let of = |old: Window, new: Window| Common::of(&row_type(&[], old), &row_type(&[], new));
        let hour = Window::Tumbling(3_600_000_000);
        let common = of(hour.clone(), day("UTC")).unwrap();
        assert_eq!((common.old.grain, common.new.grain), (Some(day("UTC")), None));
        let common = of(day("UTC"), day("Asia/Kolkata")).unwrap();
        assert_eq!((common.old.grain, common.new.grain), (Some(Window::AllTime), Some(Window::AllTime)));
        assert!(common.note.unwrap().ends_with("compared over all time"));
        let common = of(Window::AllTime, hour.clone()).unwrap();
        assert_eq!((common.old.grain, common.new.grain), (None, Some(Window::AllTime)));
        let error = of(hour, Window::Session { gap: 1_000_000 }).unwrap_err();
        assert!(error.contains("`session gap 1s` cannot be rolled up"), "{error}");
    }
}
