//! The methods of the Rust API are the functions of the catalogue, and are documented as it says.

use metricc_ir::functions::{AGGREGATES, SCALARS};

const CHAIN: &str = include_str!("../src/chain.rs");
const FUNCTIONS: &str = include_str!("../src/row/functions.rs");

#[test]
fn every_aggregate_is_a_method_with_its_doc() {
    // Long lines are broken with a `\` in the text.
    let chain: Vec<&str> = CHAIN.split_whitespace().filter(|word| *word != "\\").collect();
    let chain = chain.join(" ");
    for spec in AGGREGATES {
        let method = chain.split("; ").find(|method| method.split('<').next() == Some(spec.name));
        // The first one stands after the head of the macro.
        let method = method.or_else(|| chain.split_once(&format!("{{ {}<", spec.name)).map(|(_, rest)| rest));
        let method = method.unwrap_or_else(|| panic!("`{}` is not a method", spec.name));
        let doc = method.split('"').nth(1).unwrap_or_default();
        assert!(
            doc.starts_with(spec.doc),
            "`{}` is documented as\n{doc}\nand not as\n{}",
            spec.name,
            spec.doc
        );
    }
}

#[test]
fn every_scalar_function_is_a_method_with_its_doc() {
    let lines: Vec<&str> = FUNCTIONS.lines().map(str::trim).collect();
    for spec in SCALARS {
        let of_time = format!("{0} {0}_in \"{1}\"", spec.name, spec.doc);
        let heads = ["", "pub fn "].map(|before| format!("{before}{}", spec.name));
        let is_method = |line: &str| {
            heads
                .iter()
                .any(|head| line.strip_prefix(head.as_str()).is_some_and(|rest| rest.starts_with(['(', '<'])))
        };
        let methods: Vec<usize> = (1..lines.len()).filter(|index| is_method(lines[*index])).collect();
        let n_of_time = lines.iter().filter(|line| line.contains(&of_time)).count();
        assert!(methods.len() + n_of_time > 0, "`{}` is not a method, or not documented so", spec.name);
        for index in methods {
            let above = lines[..index].iter().rev().take_while(|line| line.starts_with("///"));
            let mut above: Vec<&str> = above.map(|line| line.trim_start_matches("///").trim()).collect();
            above.reverse();
            assert_eq!(above.join(" "), spec.doc, "{}", lines[index]);
        }
    }
}
