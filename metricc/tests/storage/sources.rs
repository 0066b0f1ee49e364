//! `metricc run` and `metricc verify` over objects: the bytes of the same files on this machine.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::azurite::Azurite;
use crate::server::{Moto, failing, without_conditions};
use crate::{metricc, text};

const PACKAGE: &str = r"
source payments {
  id: int key
  at: timestamp time
  country: string
  amount: decimal(10, 2)
}
metric revenue = sum(amount) { from payments by country every 1h }
metric latest = last(amount) { from payments by country }
metric payers = distinct(id) { from payments }
";

const N_EVENTS: u32 = 30_000;

fn line(n: u32) -> String {
    let (id, hour, minute) = (n % (N_EVENTS - 500), n % 24, n % 60);
    format!("{{\"id\":{id},\"at\":\"2026-04-25T{hour:02}:{minute:02}:00Z\",\"amount\":\"{n}.50\"}}\n")
}

/// Writes the log to a folder, divided by country: texts, compressed texts, and Parquet.
pub(crate) fn write(folder: &Path) {
    fs::write(folder.join("p.metric"), PACKAGE).unwrap();
    let log = folder.join("log");
    for (number, country) in ["DE", "IN", "FR"].into_iter().enumerate() {
        let part = log.join(format!("country={country}"));
        fs::create_dir_all(&part).unwrap();
        let lines = (0..N_EVENTS).filter(|n| *n as usize % 3 == number);
        let lines = lines.fold(String::new(), |text, n| text + &line(n));
        match number {
            0 => fs::write(part.join("a.ndjson"), lines).unwrap(),
            1 => {
                fs::write(part.join("a.ndjson.zst"), zstd::encode_all(lines.as_bytes(), 1).unwrap()).unwrap();
            }
            _ => {
                let mut csv = "id,at,amount\n".to_owned();
                for line in lines.lines() {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    let (at, amount) = (value["at"].as_str().unwrap(), value["amount"].as_str().unwrap());
                    writeln!(csv, "{},{at},{amount}", value["id"]).unwrap();
                }
                fs::write(part.join("a.csv"), csv).unwrap();
            }
        }
        fs::write(part.join("_SUCCESS"), "").unwrap();
    }
}

/// Uploads all files below a folder.
fn upload(moto: &Moto, folder: &Path, to: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let to = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap().replace('=', "%3D"));
        if path.is_dir() {
            upload(moto, &path, &to);
        } else {
            moto.put(&to, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn objects_give_the_bytes_of_the_same_files_on_disk() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    upload(&moto, &folder.path().join("log"), "/shop/in/log");
    let environment = Moto::environment(moto.port);
    let run = |arguments: &[&str]| metricc(folder.path(), &environment, arguments);
    let here = run(&["run", "p.metric", "--source", "payments=log", "--output", "json"]);
    assert!(here.status.success(), "{}", text(&here.stderr));
    let url = format!("file://{}/log", folder.path().display());
    for (source, engine) in [
        ("s3://shop/in/log", "batch"),
        ("s3://shop/in/log/", "stream"),
        ("s3://shop/in/log/*/a.*", "merged"),
        (url.as_str(), "batch"),
    ] {
        let source = format!("payments={source}");
        let there = run(&["run", "p.metric", "--source", &source, "--output", "json", "--engine", engine]);
        assert!(there.status.success(), "{source}: {}", text(&there.stderr));
        assert!(there.stdout == here.stdout, "{source} with {engine}");
    }
    let verified = run(&["verify", "p.metric", "--source", "payments=s3://shop/in/log", "--cuts", "3"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    if let Some(azurite) = Azurite::start() {
        azurite.put(
            "shop/log/country=DE/a.ndjson",
            &fs::read(folder.path().join("log/country=DE/a.ndjson")).unwrap(),
        );
        let environment = azurite.environment();
        let [here, there] = ["log/country=DE/", "az://shop/log/"].map(|log| {
            let source = format!("payments={log}");
            let run = ["run", "p.metric", "--metric", "payers", "--source", &source, "--output", "json"];
            let answer = metricc(folder.path(), &environment, &run);
            assert!(answer.status.success(), "{log}: {}", text(&answer.stderr));
            answer.stdout
        });
        assert_eq!(here, there);
    }
    // One object, and one of Parquet, which is read by ranges.
    let out = run(&[
        "run",
        "p.metric",
        "--source",
        "payments=log",
        "--metric",
        "revenue",
        "--output",
        "parquet",
        "--out",
        "out",
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let package = "source revenue {\n  window_start: timestamp time\n  country: string\n  value: decimal(38, 2)?\n}\n\
                   metric total = count() { from revenue by country }\n";
    fs::write(folder.path().join("q.metric"), package).unwrap();
    moto.put("/shop/out/revenue.parquet", &fs::read(folder.path().join("out/revenue.parquet")).unwrap());
    let [here, there] = ["out/revenue.parquet", "s3://shop/out/revenue.parquet"].map(|path| {
        let answer = run(&["run", "q.metric", "--source", &format!("revenue={path}"), "--output", "json"]);
        assert!(answer.status.success(), "{path}: {}", text(&answer.stderr));
        answer.stdout
    });
    assert_eq!(here, there);
}

#[test]
fn requests_to_a_store_that_fails_now_and_then_are_repeated() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    upload(&moto, &folder.path().join("log"), "/shop/in/log");
    let unsteady = Moto::environment(failing(moto.port));
    let [here, there] = ["payments=log", "payments=s3://shop/in/log"].map(|source| {
        let run = ["run", "p.metric", "--source", source, "--output", "json"];
        let output = metricc(folder.path(), &unsteady, &run);
        assert!(output.status.success(), "{source}: {}", text(&output.stderr));
        output.stdout
    });
    assert!(there == here);
}

#[test]
fn a_delta_table_in_a_store_is_read_by_its_log() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("p.metric"),
        "source s { at: timestamp time }\nmetric n = count() { from s }\n",
    )
    .unwrap();
    let rows = |n: usize| "{\"at\":\"2026-04-25T10:00:00Z\"}\n".repeat(n);
    let add = |name: &str, n: usize| {
        let size = rows(n).len();
        format!(
            "{{\"add\":{{\"path\":\"{name}\",\"partitionValues\":{{}},\"size\":{size},\"dataChange\":true}}}}\n"
        )
    };
    moto.put("/shop/t/a.ndjson", rows(3).as_bytes());
    moto.put("/shop/t/b.ndjson", rows(4).as_bytes());
    moto.put("/shop/t/not-a-row.ndjson", rows(9).as_bytes());
    let protocol = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n";
    moto.put(
        "/shop/t/_delta_log/00000000000000000000.json",
        (protocol.to_owned() + &add("a.ndjson", 3)).as_bytes(),
    );
    moto.put("/shop/t/_delta_log/00000000000000000001.json", add("b.ndjson", 4).as_bytes());
    let environment = Moto::environment(moto.port);
    let count = |source: &str| {
        let source = format!("s={source}");
        let answer = metricc(
            folder.path(),
            &environment,
            &["run", "p.metric", "--source", &source, "--output", "json"],
        );
        if answer.status.success() { text(&answer.stdout) } else { text(&answer.stderr) }
    };
    assert!(count("s3://shop/t").contains("7"), "{}", count("s3://shop/t"));
    assert!(count("s3://shop/t,version=0").contains("3"));
    assert!(count("s3://shop/t,version=5").contains("it has no version 5: 1 is its last one"));
    assert!(count("s3://shop/t/*.ndjson").contains("part of the Delta Lake table"));
    moto.put(
        "/shop/t/_delta_log/00000000000000000002.json",
        b"{\"remove\":{\"path\":\"a.ndjson\",\"dataChange\":true}}\n",
    );
    assert!(count("s3://shop/t").contains("`snapshot=true`"), "{}", count("s3://shop/t"));
    assert!(count("s3://shop/t,snapshot=true").contains("4"));
    moto.put("/shop/t/_delta_log/00000000000000000003.json", add("c.ndjson", 4).as_bytes());
    let missing = count("s3://shop/t,snapshot=true");
    assert!(missing.contains("c.ndjson") && missing.contains("it is not there"), "{missing}");
}

#[test]
fn keys_have_any_characters_and_markers_of_folders_are_no_files() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let package =
        "source s {\n  at: timestamp time\n  country: string?\n}\nmetric n = count() { from s by country }\n";
    fs::write(folder.path().join("p.metric"), package).unwrap();
    let line = b"{\"at\":\"2026-04-25T10:00:00Z\"}\n";
    // In URLs of HTTP: `ü~ [1].ndjson`, `100%.ndjson`, `a%3Ab.ndjson`.
    for name in ["%C3%BC~%20%5B1%5D", "100%25", "a%253Ab", "country%3D%C3%96/x"] {
        moto.put(&format!("/shop/odd/{name}.ndjson"), line);
    }
    moto.put("/shop/odd/", b"");
    moto.put("/shop/odd/sub/", b"");
    let environment = Moto::environment(moto.port);
    let run = |source: &str| {
        let source = format!("s={source}");
        let arguments = ["run", "p.metric", "--source", &source, "--output", "json"];
        let answer = metricc(folder.path(), &environment, &arguments);
        (answer.status.code(), text(&answer.stdout) + &text(&answer.stderr))
    };
    let (code, all) = run("s3://shop/odd/");
    assert!(code == Some(0) && all.contains("\"value\":3") && all.contains("Ö"), "{all}");
    for one in ["s3://shop/odd/100%.ndjson", "s3://shop/odd/country=Ö/x.ndjson", "s3://shop/odd/a%3Ab.ndjson"]
    {
        let (code, said) = run(one);
        assert!(code == Some(0) && said.contains("\"value\":1"), "{one}: {said}");
    }
    for (source, problem) in [
        ("s3://shop/odd/,version=1", "is not a Delta table"),
        ("s3://shop/odd/100%.ndjson,snapshot=true", "is not a Delta table"),
        ("s3://shop/odd/,version=1,version=2", "`version=` is given more than once"),
        ("s3://shop/odd/,colour=red", "`colour` is not an option of files"),
        ("https://shop/odd/", "it begins with `s3://`"),
    ] {
        let (code, said) = run(source);
        assert!(code == Some(2) && said.contains(problem), "{source}: {said}");
    }
}

#[test]
fn an_object_whose_name_is_no_path_is_named() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let package = "source s { at: timestamp time }\nmetric n = count() { from s }\n";
    fs::write(folder.path().join("p.metric"), package).unwrap();
    let environment = Moto::environment(moto.port);
    let run = |source: &str| {
        let source = format!("s={source}");
        let arguments = ["run", "p.metric", "--source", &source, "--output", "json"];
        let answer = metricc(folder.path(), &environment, &arguments);
        (answer.status.code(), text(&answer.stdout) + &text(&answer.stderr))
    };
    let line = b"{\"at\":\"2026-04-25T10:00:00Z\"}\n";
    moto.put("/shop/in/a.ndjson", line);
    moto.put("/shop/in/day//b.ndjson", line);
    for source in ["s3://shop/in/", "s3://shop/in/*.ndjson"] {
        let (code, said) = run(source);
        assert_eq!(code, Some(2), "{source}: {said}");
        for part in
            ["in/day//b.ndjson", "a part of it between slashes is empty", "rename or remove the object"]
        {
            assert!(said.contains(part), "{source}: {said}");
        }
    }
    // Objects beside its folder are read.
    moto.put("/shop/in/other/c.ndjson", line);
    let (code, said) = run("s3://shop/in/other/");
    assert!(code == Some(0) && said.contains("\"value\":1"), "{said}");
    let (code, said) = run("s3://shop/in/day//b.ndjson");
    assert!(code == Some(2) && said.contains("a part of its path is empty"), "{said}");
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("p.metric"),
        "source s { at: timestamp time }\nmetric n = count() { from s }\n",
    )
    .unwrap();
    let run = |environment: &[(&'static str, String)], source: &str| {
        let source = format!("s={source}");
        let answer = metricc(folder.path(), environment, &["run", "p.metric", "--source", &source]);
        assert_eq!(answer.status.code(), Some(2), "{source}: {}", text(&answer.stderr));
        text(&answer.stderr)
    };
    let http = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned())];
    assert!(run(&http, "s3://shop/a.csv").contains("AWS_ALLOW_HTTP=true"));
    assert!(run(&[], "s3://key:secret@shop/a.csv").contains("secrets come from the environment"));
    assert!(run(&[], "file://a.csv").contains("its path is absolute"));
    let no_url = [("AWS_ENDPOINT_URL", "127.0.0.1:9000".to_owned())];
    assert!(run(&no_url, "s3://shop/a.csv").contains("`AWS_ENDPOINT_URL` is not a URL"));
    let Some(moto) = Moto::start() else { return };
    let environment = Moto::environment(moto.port);
    let half: Vec<_> =
        environment.iter().filter(|(name, _)| *name != "AWS_SECRET_ACCESS_KEY").cloned().collect();
    assert!(run(&half, "s3://shop/a.csv").contains("set `AWS_SECRET_ACCESS_KEY`"));
    let missing = run(&environment, "s3://nowhere/a.csv");
    assert!(missing.contains("there is no such bucket"), "{missing}");
    let empty = run(&environment, "s3://shop/none/");
    assert!(empty.contains("no file matches `s3://shop/none`"), "{empty}");
    // Sources are only read, so a store without conditional writes is good enough for them.
    moto.put("/shop/one.ndjson", b"{\"at\":\"2026-04-25T10:00:00Z\"}\n");
    let behind = Moto::environment(without_conditions(moto.port));
    let arguments = ["run", "p.metric", "--source", "s=s3://shop/one.ndjson"];
    assert!(metricc(folder.path(), &behind, &arguments).status.success());
}
