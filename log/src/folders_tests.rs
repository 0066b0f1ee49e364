//! Finding the files of a binding.

use std::os::unix::fs::symlink;

use super::*;
use crate::Format;

fn names(path: &Path, below: &str) -> Vec<String> {
    let binding = Binding::new(path.join(below).to_string_lossy());
    resolve(&binding).unwrap().into_iter().map(|file| file.name).collect()
}

#[test]
fn files_are_ordered_by_the_bytes_of_their_path_below_the_root() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    for name in ["a10.csv", "a2.csv", "B.csv", "b/z.csv", "é.csv", ".hidden.csv", "_SUCCESS"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    assert_eq!(names(folder.path(), ""), ["B.csv", "a10.csv", "a2.csv", "b/z.csv", "é.csv"]);
    assert_eq!(names(folder.path(), "a*.csv"), ["a10.csv", "a2.csv"]);
    assert_eq!(names(folder.path(), "**/*.csv"), ["B.csv", "a10.csv", "a2.csv", "b/z.csv", "é.csv"]);
    assert_eq!(names(folder.path(), "b/z.csv"), ["z.csv"]);
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_is_itself() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a[1].csv"), "").unwrap();
    assert_eq!(names(folder.path(), "a[1].csv"), ["a[1].csv"]);
}

#[test]
fn what_matches_nothing_or_has_no_format_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |below: &str| Binding::new(folder.path().join(below).to_string_lossy());
    for below in ["", "nothing.csv", "*.csv"] {
        let error = resolve(&at(below)).unwrap_err();
        assert!(matches!(&error, LogError::NoFiles { pattern } if *pattern == at(below).path), "{error}");
    }
    assert!(matches!(resolve(&at("a[.csv")).unwrap_err(), LogError::Pattern { .. }));
    for name in ["data.lz4", "more.txt"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let error = resolve(&at("")).unwrap_err();
    assert!(error.to_string().ends_with("data.lz4` and of 1 more is not known"), "{error}");
    assert!(resolve(&at("").with_format(Format::Ndjson)).is_ok());
}

#[test]
fn texts_for_people_and_markers_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "README.md", "README", "notes.md", "_SUCCESS", ".a.csv.crc"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join("_c=1")).unwrap();
    fs::write(folder.path().join("_c=1/b.csv"), "").unwrap();
    assert_eq!(names(folder.path(), ""), ["_c=1/b.csv", "a.csv"]);
}

#[test]
fn a_link_to_a_folder_above_it_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    for name in ["a.csv", "b/b.csv"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    symlink("..", folder.path().join("b/up")).unwrap();
    symlink(".", folder.path().join("here")).unwrap();
    assert_eq!(names(folder.path(), ""), ["a.csv", "b/b.csv"]);
    assert_eq!(names(folder.path(), "**/*.csv"), ["a.csv", "b/b.csv"]);
    // A link to another folder is one of its files.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("c.csv"), "").unwrap();
    symlink(other.path(), folder.path().join("c")).unwrap();
    assert_eq!(names(folder.path(), ""), ["a.csv", "b/b.csv", "c/c.csv"]);
    assert_eq!(names(folder.path(), "**/*.csv"), ["a.csv", "b/b.csv", "c/c.csv"]);
}

#[test]
fn files_of_a_table_are_read_by_its_log_alone() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t");
    fs::create_dir_all(table.join("_delta_log")).unwrap();
    fs::create_dir(table.join("c=1")).unwrap();
    for name in ["a.parquet", "c=1/b.parquet"] {
        fs::write(table.join(name), "").unwrap();
    }
    let add = "{\"add\":{\"path\":\"c=1/b.parquet\",\"partitionValues\":{\"c\":\"1\"}}}";
    fs::write(table.join("_delta_log/00000000000000000000.json"), add).unwrap();
    assert_eq!(names(folder.path(), "t"), ["c=1/b.parquet"]);
    assert_eq!(names(folder.path(), ""), ["t/c=1/b.parquet"]);
    assert_eq!(names(folder.path(), "t/a.parquet"), ["a.parquet"]);
    for below in ["t/*.parquet", "t/c=1", "*/c=1/*.parquet"] {
        let error = resolve(&Binding::new(folder.path().join(below).to_string_lossy())).unwrap_err();
        assert!(matches!(error, LogError::PartOfTable { .. }), "{below}: {error}");
        assert!(error.help().unwrap().ends_with("/t`"), "{error}");
    }
}
