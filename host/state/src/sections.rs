//! Bytes of many rows in sections: what grows is never large, so that little is moved when it does.

/// A section that is larger gets no more rows.
const SECTION_BYTES: usize = 4 << 20;

/// What a worker encodes. Rows do not lie across sections.
#[derive(Default)]
pub struct Sections {
    sections: Vec<Vec<u8>>,
    /// Told of each that begins.
    begins: Option<Box<dyn Fn()>>,
}

impl Sections {
    /// None yet. `begins` is called with each that begins: a large state takes long.
    pub fn telling(begins: impl Fn() + 'static) -> Self {
        Self { begins: Some(Box::new(begins)), ..Self::default() }
    }

    /// Where the next row goes.
    #[inline]
    pub(crate) fn for_row(&mut self) -> &mut Vec<u8> {
        if self.sections.last().is_none_or(|last| last.len() >= SECTION_BYTES) {
            self.begin();
        }
        self.sections.last_mut().expect("there is one now")
    }

    fn begin(&mut self) {
        self.sections.push(Vec::new());
        self.begins.iter().for_each(|begins| begins());
    }

    /// Where a row goes that must not lie in another section than the row before, which is there.
    pub(crate) fn for_same(&mut self) -> &mut Vec<u8> {
        self.sections.last_mut().expect("the row before lies there")
    }

    /// The sections; none if there was no row.
    pub fn into_vec(self) -> Vec<Vec<u8>> {
        self.sections
    }
}
