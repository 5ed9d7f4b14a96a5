//! Walks a folder of this machine: what can be read, and what is left out because of its name or where it leads.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::left_out::LeftOut;

/// A regular file below the folder.
pub(super) struct Walked {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
}

/// A folder, which others are in.
struct Folder {
    path: PathBuf,
    /// Itself and all above it: a link to one of these leads round in a circle.
    line: Vec<FolderId>,
}

/// All files below `root`, links followed. An entry that cannot be read because of what it is does not stop the walk.
///
/// # Errors
/// A folder cannot be read, or `stop` was set.
pub(super) fn walk(
    root: &Path,
    stop: &AtomicBool,
    left_out: &mut LeftOut,
) -> io::Result<Vec<Walked>> {
    let named = |path: &Path| {
        let shown = path.display().to_string();
        move |error: io::Error| io::Error::new(error.kind(), format!("{shown}: {error}"))
    };
    let top = fs::metadata(root).map_err(named(root))?;
    let mut folders = vec![Folder { path: root.to_owned(), line: vec![FolderId::of(&top)] }];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder.path).map_err(named(&folder.path))? {
            if stop.load(Ordering::Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            let path = entry.map_err(named(&folder.path))?.path();
            match look(&path).map_err(named(&path))? {
                Look::File(metadata) => files.push(Walked { path, metadata }),
                Look::Folder(id) if folder.line.contains(&id) => {
                    left_out.add_odd(
                        &path.display().to_string(),
                        "it links to a folder that it lies in",
                    );
                }
                Look::Folder(id) => {
                    let line = folder.line.iter().copied().chain([id]).collect();
                    folders.push(Folder { path, line });
                }
                Look::Odd(reason) => left_out.add_odd(&path.display().to_string(), reason),
                Look::Gone => {}
            }
        }
    }
    Ok(files)
}

enum Look {
    File(Metadata),
    Folder(FolderId),
    Odd(&'static str),
    /// Removed meanwhile.
    Gone,
}

fn look(path: &Path) -> io::Result<Look> {
    /// What Linux answers where links lead to each other: ELOOP.
    const LOOP: i32 = 40;
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(Look::Folder(FolderId::of(&metadata))),
        Ok(metadata) if metadata.is_file() => Ok(Look::File(metadata)),
        Ok(_) => Ok(Look::Odd("it is neither a file nor a folder")),
        Err(error) if error.raw_os_error() == Some(LOOP) => Ok(Look::Odd("it links to itself")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let is_link = fs::symlink_metadata(path).is_ok_and(|entry| entry.is_symlink());
            Ok(if is_link { Look::Odd("it links to what is not there") } else { Look::Gone })
        }
        Err(error) => Err(error),
    }
}

/// What a folder is known by, whatever path leads to it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FolderId {
    device: u64,
    inode: u64,
}

impl FolderId {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out_and_stops_nothing() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir(root.join("folder")).unwrap();
        for name in ["a.json", "folder/b.json"] {
            fs::write(root.join(name), "{}\n").unwrap();
        }
        symlink("loop", root.join("loop")).unwrap();
        symlink("nowhere", root.join("gone")).unwrap();
        symlink(root, root.join("folder/up")).unwrap();
        symlink(root.join("a.json"), root.join("link.json")).unwrap();
        let mut left_out = LeftOut::default();
        let files = walk(root, &AtomicBool::new(false), &mut left_out).unwrap();
        let mut names: Vec<_> =
            files.iter().map(|file| file.path.strip_prefix(root).unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["a.json", "folder/b.json", "link.json"].map(PathBuf::from));
        let mut odd: Vec<_> = left_out.odd.iter().map(|(_, reason)| *reason).collect();
        odd.sort_unstable();
        assert_eq!(
            odd,
            [
                "it links to a folder that it lies in",
                "it links to itself",
                "it links to what is not there"
            ]
        );
    }

    #[test]
    fn a_walk_that_is_called_off_ends() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.json"), "").unwrap();
        let walked = walk(root.path(), &AtomicBool::new(true), &mut LeftOut::default());
        assert_eq!(walked.err().map(|error| error.kind()), Some(ErrorKind::Interrupted));
    }
}
