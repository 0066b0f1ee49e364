//! What kinds of stores have of their own: Google Cloud Storage, and a store without conditional writes.

use std::fs;
use std::path::Path;

use crate::node::{configure, refused};
use crate::other_stores::{FakeGcs, S3rver};
use crate::sources::write;
use crate::{metricc, text};

/// Uploads all files below a folder.
fn upload(store: &FakeGcs, folder: &Path, to: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let to = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap().replace('=', "%3D"));
        match path.is_dir() {
            true => upload(store, &path, &to),
            false => store.put(&to, &fs::read(&path).unwrap()),
        }
    }
}

#[test]
fn objects_of_google_give_the_bytes_of_the_same_files_on_disk() {
    let Some(store) = FakeGcs::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    upload(&store, &folder.path().join("log"), "in/log");
    let environment = store.environment();
    let run = |package: &str, source: &str, more: &[&str]| {
        let run = ["run", package, "--source", source, "--output", "json"];
        let output = metricc(folder.path(), &environment, &[&run[..], more].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (_, here, said) = run("p.metric", "payments=log", &[]);
    assert!(here.len() > 1000, "{said}");
    for (source, engine) in
        [("gs://shop/in/log", "batch"), ("gs://shop/in/log/", "stream"), ("gs://shop/in/log/*/a.*", "merged")]
    {
        let (code, there, said) = run("p.metric", &format!("payments={source}"), &["--engine", engine]);
        assert!(code == Some(0) && there == here, "{source} with {engine}: {said}");
    }
    // Parquet, which is read by ranges.
    let parquet = ["--metric", "revenue", "--output", "parquet", "--out", "out"];
    let run_to_file = ["run", "p.metric", "--source", "payments=log"];
    let output = metricc(folder.path(), &environment, &[&run_to_file[..], &parquet].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    store.put("out/revenue.parquet", &fs::read(folder.path().join("out/revenue.parquet")).unwrap());
    let package = "source revenue {\n  window_start: timestamp time\n  country: string\n  value: decimal(38, 2)?\n}\n\
                   metric total = count() { from revenue by country }\n";
    fs::write(folder.path().join("q.metric"), package).unwrap();
    let (_, here, _) = run("q.metric", "revenue=out/revenue.parquet", &[]);
    let (code, there, said) = run("q.metric", "revenue=gs://shop/out/revenue.parquet", &[]);
    assert!(code == Some(0) && there == here && here.len() > 20, "{said}");

    for (source, part) in [
        ("gs://shop/none/", "no file matches `gs://shop/none`"),
        ("gs://shop/none.csv", "no file matches `gs://shop/none.csv`"),
    ] {
        let (code, _, said) = run("p.metric", &format!("payments={source}"), &[]);
        assert!(code == Some(2) && said.contains(part), "{source}: {said}");
    }
    let plain: Vec<_> =
        environment.iter().filter(|(name, _)| *name != "GOOGLE_ALLOW_HTTP").cloned().collect();
    let output =
        metricc(folder.path(), &plain, &["run", "p.metric", "--source", "payments=gs://shop/in/log"]);
    assert!(text(&output.stderr).contains("set `GOOGLE_ALLOW_HTTP=true`"), "{}", text(&output.stderr));
}

#[test]
fn a_store_that_knows_no_conditions_is_read_and_refused_by_nodes() {
    let Some(store) = S3rver::start() else { return };
    let (folder, environment) = (tempfile::tempdir().unwrap(), store.environment());
    configure(folder.path(), "s3://shop/node");
    let reason =
        ["overwrites an object that it is asked to create only if it is absent", "(`If-None-Match`)"];
    let said = refused(folder.path(), &environment, "data");
    assert!(said.contains("`s3://shop/node`") && reason.iter().all(|part| said.contains(part)), "{said}");
    let restored = metricc(folder.path(), &environment, &["restore", "--data", "new"]);
    assert_eq!(restored.status.code(), Some(2));
    assert!(reason.iter().all(|part| text(&restored.stderr).contains(part)), "{}", text(&restored.stderr));
    assert!(!folder.path().join("data/log").exists() && !folder.path().join("new/log").exists());
    assert_eq!(store.files(), [] as [&str; 0], "what was probed with is removed");

    let line = b"{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1}\n";
    store.put("in/a.ndjson", line);
    store.put("in/b.ndjson", &line.repeat(2));
    let run =
        ["run", "p.metric", "--metric", "total", "--source", "events=s3://shop/in/", "--output", "json"];
    let output = metricc(folder.path(), &environment, &run);
    assert!(text(&output.stdout).contains("\"value\":3"), "{}", text(&output.stderr));
}
