//! Which files of a table are to become one. Pure.

use std::collections::BTreeMap;

use crate::actions::Add;
use crate::paths;

/// How large files are to become, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes that a file may have, about. Smaller ones are put together up to it.
    pub target: u64,
    /// So many files of like size in one partition become one; none: all that are small, however few.
    ///
    /// Files of like size only, so that a row is written again as often as the logarithm of the table's size and not as often
    /// as there are commits.
    pub after_files: Option<usize>,
}

/// Files of a table that are to become one: of one partition, in the order of their paths. At least two, unless it is to lie
/// in the folders of its values.
pub(super) type Group<'f> = Vec<&'f Add>;

/// Sizes of one tier differ by less than this factor.
const TIER_BITS: u32 = 2;

/// The groups, partition by partition.
///
/// Files that do not lie in folders of their values, as earlier versions put them, come first, however many they are: readers
/// who take values from there see none. Large ones only if everything is to be put together: whoever asks has the memory.
pub(super) fn pick<'f>(files: impl Iterator<Item = &'f Add>, sizes: Sizes) -> Vec<Group<'f>> {
    let mut partitions: BTreeMap<_, Group<'f>> = BTreeMap::new();
    let mut astray: BTreeMap<_, Group<'f>> = BTreeMap::new();
    let is_ours_to_read = |file: &&Add| !file.path.contains("://");
    for file in files.filter(is_ours_to_read) {
        let values = &file.partition_values;
        let is_small = size(file) < sizes.target;
        if !paths::has_folders(&file.path, values) {
            if is_small || sizes.after_files.is_none() {
                astray.entry(values).or_default().push(file);
            }
        } else if is_small {
            let tier = sizes.after_files.map(|_| size(file).max(1).ilog2() / TIER_BITS);
            partitions.entry((values, tier)).or_default().push(file);
        }
    }
    let least = sizes.after_files.unwrap_or(2).max(2);
    let due = partitions.into_values().filter(|files| files.len() >= least);
    let mut groups: Vec<Group<'f>> = due.flat_map(|files| filled(files, sizes.target)).collect();
    // A file that is alone is what it should be.
    groups.retain(|group| group.len() > 1);
    let moved = astray.into_values().flat_map(|files| filled(files, sizes.target));
    moved.chain(groups).collect()
}

/// Cut where the next file would be too much.
fn filled(files: Group<'_>, target: u64) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut bytes = target;
    for file in files {
        let size = size(file);
        bytes = bytes.saturating_add(size);
        if bytes > target {
            groups.push(Vec::new());
            bytes = size;
        }
        groups.last_mut().expect("one was just pushed").push(file);
    }
    groups
}

fn size(file: &Add) -> u64 {
    u64::try_from(file.size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, date: Option<&str>, size: i64) -> Add {
        let folder = date.map(|date| format!("date={date}/")).unwrap_or_default();
        Add {
            path: format!("{folder}{name}"),
            partition_values: date
                .map(|date| ("date".to_owned(), Some(date.to_owned())))
                .into_iter()
                .collect(),
            size,
            modification_time: 0,
            data_change: true,
            stats: None,
            tags: None,
        }
    }

    fn name_of(path: &str) -> &str {
        path.strip_prefix("date=").and_then(|path| path.split_once('/')).map_or(path, |it| it.1)
    }

    fn picked(files: &[Add], sizes: Sizes) -> Vec<Vec<&str>> {
        let groups = pick(files.iter(), sizes);
        groups.iter().map(|group| group.iter().map(|file| name_of(&file.path)).collect()).collect()
    }

    const ALL: Sizes = Sizes { target: 100, after_files: None };

    #[test]
    fn files_of_one_partition_are_put_together_up_to_the_target() {
        let files = [
            file("a", Some("1"), 40),
            file("b", Some("2"), 40),
            file("c", Some("1"), 60),
            file("d", Some("1"), 1),
            file("e", Some("1"), 99),
            file("f", Some("1"), 100),
            file("g", None, 5),
            file("h", None, 5),
            file("s3://elsewhere/i", None, 5),
        ];
        assert_eq!(picked(&files, ALL), [["g", "h"], ["a", "c"], ["d", "e"]]);
    }

    #[test]
    fn what_was_put_together_is_not_taken_again() {
        let files = [file("a", None, 60), file("b", None, 60), file("c", None, 60)];
        assert!(picked(&files, ALL).is_empty());
    }

    #[test]
    fn files_without_the_folders_of_their_values_are_moved_first_and_also_alone() {
        let astray =
            |name: &str, size| Add { path: name.to_owned(), ..file(name, Some("1"), size) };
        let files = [astray("a", 70), astray("b", 70), astray("c", 200), file("d", Some("1"), 9)];
        assert_eq!(picked(&files, ALL), [["a"], ["b"], ["c"]]);
        let sizes = Sizes { target: 100, after_files: Some(3) };
        assert_eq!(picked(&files, sizes), [["a"], ["b"]]);
        assert!(picked(&files[3..], sizes).is_empty());
    }

    #[test]
    fn files_of_like_size_become_one_when_there_are_enough_of_them() {
        let sizes = Sizes { target: 10_000, after_files: Some(3) };
        let mut files = vec![file("a", None, 17), file("b", None, 20), file("z", None, 300)];
        assert!(picked(&files, sizes).is_empty());
        files.push(file("c", None, 60));
        assert_eq!(picked(&files, sizes), [["a", "b", "c"]]);
    }
}
