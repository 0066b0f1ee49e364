//! Every fault at every operation of the disk: what is found after a crash is a state that was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_durable_log::faulty_disk::{Dice, FAULTS, Fault, SimDisk};
use metricc_jobs::PackageText;

use super::store::{StepKind, VersionRecord, VersionState, VersionStore, Versions};

fn text(number: u64) -> PackageText {
    PackageText { name: "a.metric".to_owned(), text: format!("text {number}"), files: BTreeMap::new() }
}

fn record(number: u64, state: VersionState) -> VersionRecord {
    let (name, by) = ("a.metric".to_owned(), "anna".to_owned());
    VersionRecord {
        number,
        hash: text(number).hash(),
        name,
        by,
        at: 7,
        state,
        served: true,
        replaced_at: None,
    }
}

/// Versions come, become live and go: the states one after the other, each with the text that is new.
fn states() -> Vec<(Option<PackageText>, Versions)> {
    use VersionState::{Building, Kept, Live};
    let state = |of: &[(u64, VersionState)]| {
        let mut versions = Versions::new(text(1).hash());
        versions.next = of.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        versions.versions = of.iter().map(|(number, state)| record(*number, *state)).collect();
        versions.step(versions.next - 1, StepKind::Deployed, "anna", 7);
        versions
    };
    vec![
        (Some(text(1)), state(&[(1, Live)])),
        (Some(text(2)), state(&[(2, Building), (1, Live)])),
        (None, state(&[(2, Live), (1, Kept)])),
        (Some(text(3)), state(&[(3, Building), (2, Live), (1, Kept)])),
        (None, state(&[(3, Live), (2, Kept)])),
        (None, state(&[(3, Live)])),
    ]
}

/// Writes the states until something fails: the last one that was written, and the one that failed.
fn written(disk: &SimDisk) -> (Option<Versions>, Option<Versions>) {
    let store = VersionStore::new(Arc::new(disk.clone()));
    let mut done = None;
    for (text, versions) in states() {
        let is_written = text.iter().try_for_each(|text| store.write_text(text));
        if is_written.and_then(|()| store.write(&versions)).is_err() || disk.is_down() {
            return (done, Some(versions));
        }
        done = Some(versions);
    }
    (done, None)
}

fn check(faults: &[(u64, Fault)], seed: u64) -> bool {
    let disk = SimDisk::default().with_faults(faults);
    let (done, tried) = written(&disk);
    let store = VersionStore::new(Arc::new(disk.after_crash(&mut Dice::new(seed))));
    let found = store.read().unwrap_or_else(|error| panic!("{faults:?}, seed {seed}: {error}"));
    assert!(found == done || tried.is_some() && found == tried, "{faults:?}, seed {seed}: {found:?}");
    for version in found.iter().flat_map(|found| &found.versions) {
        assert_eq!(store.text(&version.hash).unwrap(), text(version.number), "{faults:?}, seed {seed}");
    }
    tried.is_some()
}

#[test]
fn what_is_found_after_a_crash_was_written() {
    let disk = SimDisk::default();
    assert!(written(&disk).1.is_none());
    let n_operations = disk.n_operations();
    let mut n_failed = 0;
    for at in 0..n_operations {
        for fault in FAULTS {
            for seed in 0..3 {
                n_failed += u64::from(check(&[(at, fault)], at * 31 + seed));
            }
        }
    }
    assert!(n_failed > n_operations, "{n_failed} of {n_operations} operations");
}

#[test]
fn a_damaged_file_is_said_and_not_taken_for_none() {
    let disk = SimDisk::default();
    written(&disk);
    disk.put("package.json", b"{");
    let store = VersionStore::new(Arc::new(disk.clone()));
    assert!(store.read().unwrap_err().to_string().contains("package.json"));
    let hash = text(3).hash();
    disk.put(&format!("packages/{hash}.json"), &serde_json::to_vec(&text(2)).unwrap());
    assert!(store.text(&hash).unwrap_err().to_string().contains("the text of another version"));
}

/// The journal may have events of any of them, and of equal declarations the last one goes on.
#[test]
fn versions_that_were_live_are_remembered_the_last_one_first_with_their_texts() {
    let (disk, mut versions) = (SimDisk::default(), Versions::new(text(1).hash()));
    let store = VersionStore::new(Arc::new(disk));
    for (live, earlier) in
        [(1, vec![]), (2, vec![1]), (3, vec![2, 1]), (2, vec![3, 2, 1]), (5, vec![2, 3, 1])]
    {
        versions.note_earlier();
        versions.versions = vec![record(live, VersionState::Live)];
        store.write_text(&text(live)).unwrap();
        store.write(&versions).unwrap();
        let hashes: Vec<String> = earlier.iter().map(|number| text(*number).hash()).collect();
        assert_eq!(versions.earlier, hashes, "{live}");
        for number in earlier {
            assert_eq!(store.text(&text(number).hash()).unwrap(), text(number));
        }
    }
}
