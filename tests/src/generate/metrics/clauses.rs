//! The clauses after `from`: steps, names, filter, keys, window.

use metricc_ir::Kind;
use rand::Rng;

use super::fragment::{Absence, Fragment, Sort};
use super::rows::{SORTS, Scope, add_names};
use crate::generate::Random;
use crate::generate::sources::Shape;

/// The clauses of a metric, and the scope that its aggregates read.
pub(super) struct Clauses<'a> {
    pub(super) scope: Scope<'a>,
    /// One clause a line.
    pub(super) text: String,
}

/// Fields that make small groups.
const KEY_FIELDS: [&str; 10] =
    ["city", "status", "level", "channel", "flag", "retries", "label", "ok", "m", "due"];

impl Clauses<'_> {
    pub(super) fn random(random: &mut Random, shape: Shape) -> Clauses<'_> {
        let mut scope = Scope::new(random, shape);
        let mut lines = Vec::new();
        scope.steps(&mut lines);
        scope.lookups(&mut lines);
        scope.lets(&mut lines);
        if scope.chance(0.5) {
            lines.push(format!("where {}", scope.condition(3).text));
        }
        if scope.chance(0.6) {
            lines.push(format!("by {}", scope.keys().join(", ")));
        }
        lines.extend(scope.window());
        let text = lines.into_iter().map(|line| format!("  {line}\n")).collect();
        Clauses { scope, text }
    }
}

impl Scope<'_> {
    fn steps(&mut self, lines: &mut Vec<String>) {
        let n_steps = self.one_of(&[0, 0, 0, 0, 1, 1, 2]);
        for step in 0..n_steps {
            let name = format!("element{step}");
            let (list, sort) = match self.random.random_range(0..4) {
                0 if self.shape.has_lists => ("tags".to_owned(), Sort::Text),
                1 if self.shape.has_lists => ("codes".to_owned(), Sort::Int),
                2 if self.shape.has_lists => {
                    let source = self.shape.source();
                    let items = source.fields.iter().find(|field| field.name == "items");
                    let items = items.unwrap_or_else(|| panic!("there are items"));
                    let Kind::List(item) = &items.ty.kind else { panic!("`items` is a list") };
                    self.note("each");
                    lines.push(format!("each {name} in items"));
                    add_names(&name, item, &mut self.names);
                    continue;
                }
                _ => {
                    self.note("split");
                    let text = self.value(Sort::Text, 1);
                    (format!("split({}, \",\")", text.text), Sort::Text)
                }
            };
            self.note("each");
            lines.push(format!("each {name} in {list}"));
            self.names.push(Fragment::new(name, sort, Absence::Never));
        }
    }

    fn lets(&mut self, lines: &mut Vec<String>) {
        let n_lets = self.one_of(&[0, 0, 1, 2]);
        for number in 0..n_lets {
            let sort = self.one_of(&SORTS);
            let value = self.expr(sort, 2);
            let name = format!("let{number}");
            lines.push(format!("let {name} = {}", value.text));
            self.note("let");
            self.names.push(Fragment { text: name, ..value });
        }
    }

    /// Keys as text: fields by name, other expressions with `as`.
    fn keys(&mut self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        let n_keys = self.one_of(&[1, 1, 1, 2, 2, 3]);
        for index in 0..n_keys {
            let field = self.one_of(&KEY_FIELDS).to_owned();
            if self.chance(0.6) && !keys.contains(&field) {
                keys.push(field);
                continue;
            }
            let sort = self.one_of(&SORTS);
            let depth = self.random.random_range(0..3);
            let value = self.expr(sort, depth);
            keys.push(format!("{} as key{index}", value.text));
        }
        keys
    }

    fn window(&mut self) -> Option<String> {
        let (window, text) = match self.random.random_range(0..12) {
            0..3 => ("all", None),
            3..5 => {
                let widths = ["1h", "5m", "90m", "250ms", "24h", "168h", "1s"];
                ("tumbling", Some(format!("every {}", self.one_of(&widths))))
            }
            5 => {
                let sliding =
                    ["24h step 1h", "10m step 5m", "7d step 24h", "3s step 1s", "55m step 5m", "2h step 2h"];
                ("sliding", Some(format!("over last {}", self.one_of(&sliding))))
            }
            6 => {
                ("session", Some(format!("session gap {}", self.one_of(&["30m", "1h", "24h", "1s", "720h"]))))
            }
            _ => {
                let unit = self.one_of(&["day", "week", "month", "quarter", "year"]);
                (unit, Some(format!("every {unit} in {}", self.calendar())))
            }
        };
        self.uses.window = window;
        text
    }
}
