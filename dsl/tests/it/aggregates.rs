//! Aggregates with wrong arguments: each gives one message, on the argument, with a fix.

use super::rendered;

const SOURCE: &str = "\
source events {
  at: timestamp time  id: string key  n: int  x: float?  amount: decimal(12, 2)  kind: enum(\"view\", \"buy\")
  tags: list<string>  ok: bool
}
";

#[test]
fn mistakes_in_arguments_are_shown_as_reviewed() {
    let mistakes = [
        "top(0, id)",
        "top(-1, id)",
        "top(1.5, id)",
        "top(n, id)",
        "top(10, tags)",
        "top(10, id, by: mean(n))",
        "top(10, id, by: n)",
        "top(10, id, within: 1%)",
        "top(10)",
        "quantile(n, 1.5)",
        "quantile(n, -0.1)",
        "quantile(tags, 0.5)",
        "quantile(id, 0.5, within: 1%)",
        "quantile(n, 0.5, within: 0%)",
        "median(n, by: id)",
        "distinct(id, within: 0%)",
        "frequency(id, \"a\")",
        "frequency(id, \"a\", within: 0%)",
        "frequency(kind, \"vew\", within: 1%)",
        "frequency(n, id, within: 1%)",
        "histogram(n, [3, 1])",
        "histogram(n, [1, 1])",
        "histogram(n, [])",
        "histogram(n, 5)",
        "histogram(n, [1.5])",
        "histogram(ok, [true])",
        "sum(tags)",
        "min(tags)",
        "first(tags)",
        "arg_max(id)",
        "arg_max(id, by: ok)",
        "arg_max(id, by: n, by: n)",
        "union(id)",
        "bits_or(x)",
        "correlation(n, x)",
        "correlation(id, n)",
        "slope(n)",
        "funnel(id, kind == \"view\", within: 1h)",
        "funnel(id, kind == \"view\", kind == \"buy\")",
        "funnel(id, kind == \"view\", kind, within: 1h)",
        "funnel(id, kind == \"view\", kind == \"buy\", within: 5)",
        "retention(id, at, 7)",
        "retention(id, n, 0)",
        "retention(id, n)",
        "first(last(n))",
        "set(x) == set(x)",
        "decayed_sum(n)",
        "array_agg(n)",
        "topk(n)",
        "last(x) + 1 > last(n)",
    ];
    let all: Vec<String> = mistakes
        .iter()
        .map(|mistake| {
            let text = format!("{SOURCE}metric m = {mistake} {{ from events }}\n");
            let found = rendered(&text);
            format!("{mistake}\n{}", if found.is_empty() { "nothing\n".to_owned() } else { found })
        })
        .collect();
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(all.join("\n"));
    });
}

#[test]
fn imports_with_mistakes_are_shown_as_reviewed() {
    let mistakes = [
        "import function lower(string): string",
        "import function f(decimal(9, 2)): int",
        "import function f(enum(\"a\")): int",
        "import function f(int): int version 0",
        "import function f(int): int idempotent",
        "import function f(int, int, int, int, int, int, int): int",
        "import function f(): int",
        "import aggregate f(int?): int",
        "import thing f(int): int",
        "import function f(int): int\nimport function f(int): int",
        "import function f(integer): int",
    ];
    let all: Vec<String> = mistakes
        .iter()
        .map(|mistake| format!("{mistake}\n{}", rendered(&format!("{SOURCE}{mistake}\n"))))
        .collect();
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!(all.join("\n"));
    });
}
