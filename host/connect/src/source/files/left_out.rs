//! What a listing found and nobody reads: files of other endings, and names that cannot be read.

/// So many odd names are told, the others are counted.
const ODD_TOLD_MAX: usize = 20;

/// What a listing found and nobody reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Files of other endings: how many, and one of them.
    pub(super) endings: u64,
    pub(super) example: Option<String>,
    /// Names that cannot be read, with the reason.
    pub(super) odd: Vec<(String, &'static str)>,
    /// How many more there are.
    pub(super) odd_more: u64,
}

impl LeftOut {
    pub(super) fn add_odd(&mut self, name: &str, reason: &'static str) {
        if self.odd.len() < ODD_TOLD_MAX {
            self.odd.push((name.to_owned(), reason));
        } else {
            self.odd_more += 1;
        }
    }

    pub(super) fn add_ending(&mut self, name: &str) {
        self.endings += 1;
        self.example.get_or_insert_with(|| name.to_owned());
    }
}
