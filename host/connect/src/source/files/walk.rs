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

/// All files below `root`, links followed. An entry that cannot be read because of what it is does not stop the walk, and
/// neither does a folder that is removed meanwhile.
///
/// # Errors
/// A folder cannot be read, or `stop` was set. [`ErrorKind::NotFound`] means `root`, and no folder below it.
pub(super) fn walk(
    root: &Path,
    stop: &AtomicBool,
    left_out: &mut LeftOut,
) -> io::Result<Vec<Walked>> {
    let top = fs::metadata(root).map_err(naming(root))?;
    let root = Folder { path: root.to_owned(), line: vec![FolderId::of(&top)] };
    let mut walk = Walk { stop, left_out, folders: Vec::new(), files: Vec::new() };
    walk.look_through(&root)?;
    walk.look_through_found()?;
    Ok(walk.files)
}

/// A walk under way.
struct Walk<'a> {
    stop: &'a AtomicBool,
    left_out: &'a mut LeftOut,
    /// Found, and not looked through yet.
    folders: Vec<Folder>,
    files: Vec<Walked>,
}

impl Walk<'_> {
    fn look_through_found(&mut self) -> io::Result<()> {
        while let Some(folder) = self.folders.pop() {
            match self.look_through(&folder) {
                // Removed since it was found: it has no files any more.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                looked => looked?,
            }
        }
        Ok(())
    }

    fn look_through(&mut self, folder: &Folder) -> io::Result<()> {
        for entry in fs::read_dir(&folder.path).map_err(naming(&folder.path))? {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            let path = entry.map_err(naming(&folder.path))?.path();
            match look(&path).map_err(naming(&path))? {
                Look::File(metadata) => self.files.push(Walked { path, metadata }),
                Look::Folder(id) if folder.line.contains(&id) => {
                    self.left_out.add_odd(
                        &path.display().to_string(),
                        "it links to a folder that it lies in",
                    );
                }
                Look::Folder(id) => {
                    let line = folder.line.iter().copied().chain([id]).collect();
                    self.folders.push(Folder { path, line });
                }
                Look::Odd(reason) => self.left_out.add_odd(&path.display().to_string(), reason),
                Look::Gone => {}
            }
        }
        Ok(())
    }
}

/// An error's words lack the path.
fn naming(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let shown = path.display().to_string();
    move |error| io::Error::new(error.kind(), format!("{shown}: {error}"))
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
    fn a_folder_that_is_removed_while_its_neighbours_are_walked_has_no_files() {
        let root = tempfile::tempdir().unwrap();
        let (kept, removed) = (root.path().join("kept"), root.path().join("removed"));
        for folder in [&kept, &removed] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("a.json"), "").unwrap();
        }
        let folders = [&kept, &removed].map(|path| {
            let id = FolderId::of(&fs::metadata(path).unwrap());
            Folder { path: path.clone(), line: vec![id] }
        });
        fs::remove_dir_all(&removed).unwrap();
        let stop = AtomicBool::new(false);
        let mut left_out = LeftOut::default();
        let mut under_way = Walk {
            stop: &stop,
            left_out: &mut left_out,
            folders: folders.into(),
            files: Vec::new(),
        };
        under_way.look_through_found().unwrap();
        let paths: Vec<_> = under_way.files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [kept.join("a.json")]);
        // Where the walk begins, it is another matter.
        let walked = walk(&removed, &stop, &mut LeftOut::default());
        assert_eq!(walked.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    }

    #[test]
    fn a_walk_that_is_called_off_ends() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.json"), "").unwrap();
        let walked = walk(root.path(), &AtomicBool::new(true), &mut LeftOut::default());
        assert_eq!(walked.err().map(|error| error.kind()), Some(ErrorKind::Interrupted));
    }
}
