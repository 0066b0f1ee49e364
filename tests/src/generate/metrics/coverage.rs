//! The coverage of generated metrics: operators and functions × aggregates × windows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The functions that one metric uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Functions and operators in clauses and outputs: they touch all aggregates.
    pub everywhere: BTreeSet<&'static str>,
    /// Functions and operators in an aggregate's argument and filter, by aggregate.
    pub by_aggregate: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// The window: `all`, `tumbling`, `sliding`, `session`, `day`, `week`, `month`, `quarter` or `year`.
    pub window: &'static str,
    /// Names of the calendars.
    pub calendars: BTreeSet<&'static str>,
}

/// The functions that many metrics use: the number of metrics with each (feature, aggregate, window).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    n_metrics: BTreeMap<(&'static str, &'static str, &'static str), usize>,
}

impl Uses {
    /// The combinations of this metric.
    pub fn combinations(&self) -> BTreeSet<(&'static str, &'static str, &'static str)> {
        let mut found = BTreeSet::new();
        for (aggregate, own) in &self.by_aggregate {
            found.extend(
                own.iter().chain(&self.everywhere).map(|feature| (*feature, *aggregate, self.window)),
            );
        }
        found
    }
}

impl Coverage {
    /// Adds one metric.
    pub fn add(&mut self, uses: &Uses) {
        for combination in uses.combinations() {
            *self.n_metrics.entry(combination).or_default() += 1;
        }
    }

    /// Number of metrics with this combination.
    pub fn n_metrics(&self, feature: &str, aggregate: &str, window: &str) -> usize {
        let found = self.n_metrics.iter().find(|((f, a, w), _)| (*f, *a, *w) == (feature, aggregate, window));
        found.map_or(0, |(_, count)| *count)
    }

    /// All names in one dimension of the combinations: 0 features, 1 aggregates, 2 windows.
    pub fn names(&self, dimension: usize) -> BTreeSet<&'static str> {
        self.n_metrics
            .keys()
            .map(|(feature, aggregate, window)| [*feature, *aggregate, *window][dimension.min(2)])
            .collect()
    }

    /// The missing combinations of features and aggregates that occurred together in fewer than `n_windows`
    /// windows.
    pub fn rare(&self, n_windows: usize) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut missing = self.missing();
        let n_all = self.names(2).len();
        let mut n_missing: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        missing
            .iter()
            .for_each(|(feature, aggregate, _)| *n_missing.entry((*feature, *aggregate)).or_default() += 1);
        missing.retain(|(feature, aggregate, _)| n_all - n_missing[&(*feature, *aggregate)] < n_windows);
        missing
    }

    /// Combinations of known names that no metric had.
    pub fn missing(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut missing = Vec::new();
        let (aggregates, windows) = (self.names(1), self.names(2));
        for feature in self.names(0) {
            for aggregate in aggregates.iter().copied() {
                let all = windows.iter().map(|window| (feature, aggregate, *window));
                missing.extend(all.filter(|combination| !self.n_metrics.contains_key(combination)));
            }
        }
        missing
    }
}

impl fmt::Display for Coverage {
    /// A table: a line per feature, a column per aggregate, and in each cell the number of windows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (aggregates, windows) = (self.names(1), self.names(2));
        writeln!(f, "| feature | {} |", aggregates.iter().copied().collect::<Vec<_>>().join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(aggregates.len()))?;
        for feature in self.names(0) {
            write!(f, "| `{}` |", feature.replace('|', "\\|"))?;
            for aggregate in &aggregates {
                let covered = windows
                    .iter()
                    .filter(|window| self.n_metrics.contains_key(&(feature, *aggregate, **window)));
                write!(f, " {}/{} |", covered.count(), windows.len())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_outside_of_aggregates_touch_all_of_them() {
        let uses = Uses {
            everywhere: ["=="].into(),
            by_aggregate: [("count", ["<"].into()), ("sum", BTreeSet::new())].into(),
            window: "all",
            calendars: BTreeSet::new(),
        };
        let mut coverage = Coverage::default();
        coverage.add(&uses);
        coverage.add(&uses);
        assert_eq!(coverage.n_metrics("==", "sum", "all"), 2);
        assert_eq!(coverage.n_metrics("<", "count", "all"), 2);
        assert_eq!(coverage.missing(), [("<", "sum", "all")]);
        assert!(coverage.to_string().contains("| `<` | 1/1 | 0/1 |"));
    }
}
