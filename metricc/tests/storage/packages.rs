//! Packages in object stores, with their tables beside them.

use std::fs;

use crate::server::Moto;
use crate::{metricc, text};

const PACKAGE: &str = "use shops.{cities}\n\
                       source sales { at: timestamp time  shop: int }\n\
                       metric sold = count() { from sales  lookup found = cities[shop]  by found.city }\n";
const USED: &str = "table cities { shop: int key  city: string }\n";
const EVENTS: &str =
    "{\"at\":\"2026-04-25T10:00:00Z\",\"shop\":1}\n{\"at\":\"2026-04-25T11:00:00Z\",\"shop\":2}\n";

#[test]
fn a_package_and_its_tables_are_read_from_a_store() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sales.ndjson"), EVENTS).unwrap();
    let environment = Moto::environment(moto.port);
    let command = |arguments: &[&str]| metricc(folder.path(), &environment, arguments);
    let package = "s3://shop/defs/sales.metric";
    let run = |package: &str| {
        let output = command(&["run", package, "--source", "sales=sales.ndjson", "--output", "csv"]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, said) = run(package);
    assert!(code == Some(2) && said.contains(package) && said.contains("it is not there"), "{said}");
    moto.put("/shop/defs/sales.metric", PACKAGE.as_bytes());
    let (code, _, said) = run(package);
    assert!(code == Some(1) && said.contains("there is no such file in this folder"), "{said}");
    moto.put("/shop/defs/shops.metric", USED.as_bytes());
    moto.put("/shop/defs/cities.csv", b"shop,city\n1,Pune\n2,Jena\n");
    assert_eq!(run(package).1, "city,value\nJena,1\nPune,1\n");
    // The table is that of the package's own folder.
    moto.put("/shop/other/sales.metric", PACKAGE.as_bytes());
    moto.put("/shop/other/shops.metric", USED.as_bytes());
    moto.put("/shop/other/cities.csv", b"shop,city\n1,Pune\n2,Pune\n");
    assert_eq!(run("s3://shop/other/sales.metric").1, "city,value\nPune,2\n");
    let check = command(&["check", package]);
    assert!(check.status.success(), "{}", text(&check.stderr));

    // A node reads it from there too, and the folder of its configuration does not come before a URL.
    fs::write(folder.path().join("metricc.toml"), format!("package = \"{package}\"\n")).unwrap();
    let node = crate::node::Node::start(folder.path(), &environment, "data");
    node.send_to("sales", EVENTS);
    node.until("both cities count", |node| {
        node.answer("sold")["rows"].as_array().is_some_and(|rows| rows.len() == 2)
    });

    let large = vec![b' '; (1 << 20) + 1];
    moto.put("/shop/defs/large.metric", &large);
    let check = command(&["check", "s3://shop/defs/large.metric"]);
    assert!(check.status.code() == Some(2) && text(&check.stderr).contains("more than 1048576 bytes"));
}
