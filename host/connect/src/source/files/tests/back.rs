//! Watched files that are removed and come back: what is new in them is read, or somebody says why not.

use std::fs;

use super::growing::{append, packed, watched};
use super::lane::Lane;
use super::{Folder, lines};
use crate::source::SourceError;

/// What lies under the name when the file is there again.
const FORMS: [&str; 5] = ["longer", "same", "shorter", "other", "other of its length"];

fn content(name: &str, form: &str) -> Vec<u8> {
    let text = match form {
        "longer" => lines(0, 3_010),
        "same" => lines(0, 3_000),
        "shorter" => lines(0, 2_000),
        "other" => lines(500, 9_000),
        _ => lines(0, 3_000).replace("x", "y"),
    };
    if name.ends_with(".ndjson") { text.into_bytes() } else { packed(name, &text) }
}

/// A file that was read whole and is gone, over so many restarts, while another comes or none.
struct Absence {
    is_renamed: bool,
    restarts: usize,
    is_alone: bool,
}

impl Absence {
    fn of<'a>(&self, folder: &'a Folder, name: &str) -> Lane<'a> {
        fs::write(folder.path(name), content(name, "same")).unwrap();
        let mut lane = Lane::begin(folder);
        lane.until(|lane| lane.count(name) == 3_000).unwrap();
        match self.is_renamed {
            true => fs::rename(folder.path(name), folder.path("away")).unwrap(),
            false => fs::remove_file(folder.path(name)).unwrap(),
        }
        for _ in 0..self.restarts {
            lane.restart().unwrap();
            lane.poll().unwrap();
        }
        if !self.is_alone {
            lane.look("b.ndjson").unwrap();
        }
        lane
    }
}

fn comes_back(name: &str, form: &str, absence: &Absence) {
    let folder = watched(&[]);
    let mut lane = absence.of(&folder, name);
    fs::write(folder.path(name), content(name, form)).unwrap();
    let what = format!("{name}, {form}, {} restarts", absence.restarts);
    match form {
        "longer" => lane.until(|lane| lane.count(name) == 3_010).unwrap(),
        "same" => lane.look("c.ndjson").unwrap(),
        _ => {
            let lost = lane.fails(&what);
            assert!(matches!(lost, SourceError::Lost(_)), "{what}: {lost}");
        }
    }
    let count = if form == "longer" { 3_010 } else { 3_000 };
    assert_eq!(lane.count(name), count, "{what}");
}

#[test]
fn a_file_that_comes_back_is_read_on_or_halts_the_pipeline() {
    for (restarts, is_alone) in
        [(0, true), (0, false), (1, true), (1, false), (2, true), (2, false)]
    {
        let absence = Absence { is_renamed: false, restarts, is_alone };
        for name in ["a.ndjson", "a.json.gz", "a.json.zst"] {
            FORMS.iter().for_each(|form| comes_back(name, form, &absence));
        }
    }
}

#[test]
fn a_file_that_is_renamed_and_back_is_read_on() {
    for restarts in 0..3 {
        let folder = watched(&[]);
        let absence = Absence { is_renamed: true, restarts, is_alone: false };
        let mut lane = absence.of(&folder, "a.ndjson");
        fs::rename(folder.path("away"), folder.path("a.ndjson")).unwrap();
        append(&folder, "a.ndjson", &lines(0, 4));
        lane.until(|lane| lane.count("a.ndjson") == 3_004).unwrap();
    }
}
