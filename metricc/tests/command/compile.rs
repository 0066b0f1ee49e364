//! `metricc compile`.

use std::path::{Path, PathBuf};

use super::{code, metricc, stderr, top};

const PACKAGE: &str = "examples/payments/payments.metric";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn the_committed_files_are_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_string_lossy().into_owned();
    let arguments = ["compile", PACKAGE, "--out", &out, "--metricc", "../../../../metricc"];
    let output = metricc(&arguments);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let committed = top().join("docs/generated/payments");
    let names = |root: &Path| -> Vec<PathBuf> {
        let all = files(root).into_iter().filter(|path| !path.ends_with("Cargo.lock"));
        all.map(|path| path.strip_prefix(root).expect("below the root").to_owned()).collect()
    };
    assert_eq!(names(folder.path()), names(&committed));
    for name in names(&committed) {
        let [generated, kept] =
            [folder.path(), &committed].map(|root| std::fs::read_to_string(root.join(&name)));
        let help = format!("run `metricc {}` with `--out docs/generated/payments`", arguments.join(" "));
        assert_eq!(generated.expect("text"), kept.expect("text"), "{}: {help}", name.display());
    }
}

#[test]
fn an_unchanged_file_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_string_lossy().into_owned();
    let compile = || assert_eq!(code(&metricc(&["compile", PACKAGE, "--out", &out])), 0);
    compile();
    let written = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).expect("a time");
    let before: Vec<_> = files(folder.path()).iter().map(|path| written(path)).collect();
    compile();
    let after: Vec<_> = files(folder.path()).iter().map(|path| written(path)).collect();
    assert_eq!(before, after);
}

#[test]
fn nothing_is_written_for_a_package_with_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.metric");
    std::fs::write(&file, "source s { at: timestamp time }\nmetric n = cuont() { from s }\n")
        .expect("written");
    let out = folder.path().join("out");
    let output = metricc(&["compile", &file.to_string_lossy(), "--out", &out.to_string_lossy()]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("did you mean `count`?"), "{}", stderr(&output));
    assert!(!out.exists());
    // A file instead of the output folder.
    let output = metricc(&["compile", PACKAGE, "--out", &file.to_string_lossy()]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("broken.metric/"), "{}", stderr(&output));
}
