//! Lookup tables of generated metrics. They contain some keys of random events, and not others.

use super::fragment::{Absence, Fragment, Sort};
use super::rows::Scope;

/// The tables in the language.
pub(super) const ITEMS: &str = "
table places {
  city:   string key
  level:  enum(\"low\", \"mid\", \"high\") key
  region: string
  opened: date?
  share:  decimal(12, 2)?
  active: bool
}
table steps {
  n:      int key
  title:  string?
  until:  timestamp?
  pause:  duration
  score:  float?
  status: enum(\"captured\", \"failed\", \"refunded\")
}
";

/// Names and contents of the files of the tables.
pub const FILES: &[(&str, &str)] = &[
    (
        "places.csv",
        "level,city,region,opened,share,active,unread
low,a,north,2024-02-29,0.50,true,1
mid,a,south,,1.25,false,2
high,a,\"\",1969-12-31,,true,3
low,b,north,2011-12-30,-3.00,false,4
mid,b,\"a,b\",,0.00,true,5
high,c,ß,2024-11-03,99.99,true,6
low,ab,north,2024-02-29,0.50,false,7
mid,\"\",south,,,true,8
high,web,web,2026-04-25,12345.67,true,9
",
    ),
    (
        "steps.csv",
        "n,title,until,pause,score,status
-1,before,2024-11-03T06:00:00Z,5m,0.5,captured
0,,1970-01-01T00:00:00Z,0s,0.0,failed
1,a,,1h,-3.25,failed
2,b,2024-11-03T01:30:00-05:00,250,1e300,refunded
3,a,2026-04-25T10:00:00Z,1us,,captured
5,web,2026-04-25T10:00:00Z,-1h,0.1,captured
8,,,168h,2,refunded
100,c,2011-12-30T00:00:00Z,1h,1,failed
9223372036854775807,\"\",,1h,,captured
",
    ),
];

impl Scope<'_> {
    /// Lookups by expressions. Their columns are names for later expressions.
    pub(super) fn lookups(&mut self, lines: &mut Vec<String>) {
        if self.chance(0.25) {
            let (city, level) = (self.expr(Sort::Text, 1), self.expr(Sort::Level, 0));
            lines.push(format!("lookup place = places[{}, {}]", city.text, level.text));
            self.found(
                "place",
                &[
                    ("region", Sort::Text),
                    ("opened", Sort::Date),
                    ("share", Sort::Decimal(12, 2)),
                    ("active", Sort::Bool),
                ],
            );
        }
        if self.chance(0.25) {
            let n = self.expr(Sort::Int, 2);
            lines.push(format!("lookup step = steps[{}]", n.text));
            self.found(
                "step",
                &[
                    ("title", Sort::Text),
                    ("until", Sort::Timestamp),
                    ("pause", Sort::Duration),
                    ("score", Sort::Float),
                    ("status", Sort::Status),
                ],
            );
        }
    }

    fn found(&mut self, row: &str, columns: &[(&str, Sort)]) {
        self.note("lookup");
        let columns = columns
            .iter()
            .map(|(column, sort)| Fragment::new(format!("{row}.{column}"), *sort, Absence::Declared));
        self.names.extend(columns);
    }
}
