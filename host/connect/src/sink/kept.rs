//! Parts of committed files that were read lately, kept in memory: a committed file never changes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

/// What all pipelines of a program keep together: the newest files of some tens of tables.
const BYTES_MAX: usize = 32 << 20;
/// A part that is larger than this share of all is not kept: it would push out what others look at.
const SHARE_MAX: usize = 4;

/// Parts of files, at most so many bytes. The part that was asked for longest ago goes first. Clones are the same.
#[derive(Clone)]
pub struct Kept {
    parts: Arc<Mutex<Parts>>,
    bytes_max: usize,
}

/// A file, by the store's name for its table and by its path there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileName {
    pub(super) table: Arc<str>,
    pub(super) path: Arc<str>,
}

/// Which part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Footer,
    /// These bytes.
    Range(Range<u64>),
}

#[derive(Clone)]
enum Content {
    Footer(ArrowReaderMetadata),
    Bytes(Bytes),
}

#[derive(Default)]
struct Parts {
    by_name: HashMap<(FileName, Part), Entry>,
    /// By when they were asked for last: a number that grows with every question.
    by_use: BTreeMap<u64, (FileName, Part)>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    content: Content,
    bytes: usize,
    used: u64,
}

impl Default for Kept {
    /// Nothing yet, and room for 32 MiB.
    fn default() -> Self {
        Self::with_room_for(BYTES_MAX)
    }
}

impl Kept {
    /// Nothing yet, and room for so many bytes.
    pub fn with_room_for(bytes_max: usize) -> Self {
        Self { parts: Arc::default(), bytes_max }
    }

    /// Bytes that are kept now.
    pub fn bytes(&self) -> usize {
        self.parts().bytes
    }

    pub(super) fn footer(&self, file: &FileName) -> Option<ArrowReaderMetadata> {
        match self.parts().ask(&(file.clone(), Part::Footer))? {
            Content::Footer(footer) => Some(footer),
            Content::Bytes(_) => None,
        }
    }

    pub(super) fn keep_footer(&self, file: &FileName, footer: &ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size();
        self.keep((file.clone(), Part::Footer), Content::Footer(footer.clone()), bytes);
    }

    pub(super) fn range(&self, file: &FileName, range: Range<u64>) -> Option<Bytes> {
        match self.parts().ask(&(file.clone(), Part::Range(range)))? {
            Content::Bytes(bytes) => Some(bytes),
            Content::Footer(_) => None,
        }
    }

    pub(super) fn keep_range(&self, file: &FileName, range: Range<u64>, bytes: &Bytes) {
        let name = (file.clone(), Part::Range(range));
        self.keep(name, Content::Bytes(bytes.clone()), bytes.len());
    }

    fn keep(&self, name: (FileName, Part), content: Content, bytes: usize) {
        if bytes <= self.bytes_max / SHARE_MAX {
            let mut parts = self.parts();
            parts.keep(name, content, bytes);
            while parts.bytes > self.bytes_max {
                parts.forget_oldest();
            }
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    fn ask(&mut self, name: &(FileName, Part)) -> Option<Content> {
        let Self { by_name, by_use, uses, .. } = self;
        let entry = by_name.get_mut(name)?;
        *uses += 1;
        if let Some(name) = by_use.remove(&entry.used) {
            by_use.insert(*uses, name);
        }
        entry.used = *uses;
        Some(entry.content.clone())
    }

    fn keep(&mut self, name: (FileName, Part), content: Content, bytes: usize) {
        self.uses += 1;
        let entry = Entry { content, bytes, used: self.uses };
        self.by_use.insert(self.uses, name.clone());
        self.bytes += bytes;
        // Two may have read the same at once.
        if let Some(before) = self.by_name.insert(name, entry) {
            self.by_use.remove(&before.used);
            self.bytes -= before.bytes;
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.by_use.pop_first()
            && let Some(entry) = self.by_name.remove(&name)
        {
            self.bytes -= entry.bytes;
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of files", self.bytes())
    }
}
