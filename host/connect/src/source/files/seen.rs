//! How finished files were when they were last seen: what becomes of them later is not read, and told.

use std::collections::HashMap;
use std::sync::Arc;

use super::list::FileEntry;

/// Finished files of a place that is watched. The chain has their names only, so each process begins anew.
#[derive(Default)]
pub(super) struct Seen {
    files: HashMap<Arc<str>, Look>,
    /// The listing under way is the first: what it shows may have been there all the time.
    is_first: bool,
    /// Those of the listing under way that were put there again: one of them, and how many.
    again: Option<(Arc<str>, usize)>,
}

/// A file as it was listed.
struct Look {
    size: u64,
    tag: u64,
    /// That it was put there again. Some file systems number their files anew again and again.
    is_told: bool,
}

impl Seen {
    /// Another listing begins to be all that is known.
    pub(super) fn begin(&mut self) {
        self.is_first = true;
    }

    /// A file that is finished from now on was read as it is here.
    pub(super) fn keep(&mut self, file: &FileEntry) {
        let look = Look { size: file.size, tag: file.tag, is_told: false };
        self.files.insert(Arc::clone(&file.stream), look);
    }

    /// Compares a finished file that is listed with what it was.
    pub(super) fn look(&mut self, file: &FileEntry) {
        let Some(look) = self.files.get_mut(&file.stream) else {
            self.keep(file);
            if !self.is_first {
                self.note_again(&file.stream);
            }
            return;
        };
        let (is_resized, is_anew) = (look.size != file.size, look.tag != file.tag && !look.is_told);
        (look.size, look.tag) = (file.size, file.tag);
        if is_resized {
            tracing::warn!(
                file = &*file.stream,
                "changed after it was finished; what is new in it is not read: give new data a new name, or raise \
                 `source.files.finish_after`"
            );
        } else if is_anew {
            look.is_told = true;
            self.note_again(&file.stream);
        }
    }

    fn note_again(&mut self, stream: &Arc<str>) {
        let (_, files) = self.again.get_or_insert_with(|| (Arc::clone(stream), 0));
        *files += 1;
    }

    /// A listing was looked at. A folder that was away may bring back any number of files, which are told in one warning.
    pub(super) fn tell(&mut self) {
        self.is_first = false;
        if let Some((file, files)) = self.again.take() {
            tracing::warn!(
                file = &*file,
                files,
                "was put there again after it was finished, and is not read: give new data a new name, or raise \
                 `source.files.finish_after`"
            );
        }
    }
}
