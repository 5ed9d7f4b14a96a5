//! Bytes of many rows in sections: what grows is never large, so that little is moved when it does.

/// A section that is larger gets no more rows.
const SECTION_BYTES: usize = 4 << 20;

/// What a worker encodes. Rows do not lie across sections.
#[derive(Debug, Default)]
pub struct Sections(Vec<Vec<u8>>);

impl Sections {
    /// Where the next row goes.
    #[inline]
    pub(crate) fn for_row(&mut self) -> &mut Vec<u8> {
        if self.0.last().is_none_or(|last| last.len() >= SECTION_BYTES) {
            self.0.push(Vec::new());
        }
        self.0.last_mut().expect("there is one now")
    }

    /// Where a row goes that must not lie in another section than the row before, which is there.
    pub(crate) fn for_same(&mut self) -> &mut Vec<u8> {
        self.0.last_mut().expect("the row before lies there")
    }

    /// The sections; none if there was no row.
    pub fn into_vec(self) -> Vec<Vec<u8>> {
        self.0
    }
}
