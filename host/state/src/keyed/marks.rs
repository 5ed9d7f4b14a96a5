//! Which keys are not as the last checkpoint has them: a byte for each place of a table.

/// In the list.
const LISTED: u8 = 1;
/// A checkpoint may have it.
const SAVED: u8 = 2;

/// Marks of the places of a table.
#[derive(Debug, Default)]
pub(super) struct Marks {
    places: Vec<u8>,
    /// Places, each once; also of keys that were forgotten since.
    listed: Vec<u32>,
    /// Keys that a checkpoint may have and that were forgotten.
    gone: Vec<Box<[u8]>>,
    /// All keys were forgotten.
    cleared: bool,
}

impl Marks {
    /// Of a table whose keys were all forgotten.
    pub(super) fn cleared() -> Self {
        Self { cleared: true, ..Self::default() }
    }

    /// A key is not as a checkpoint has it.
    pub(super) fn note(&mut self, id: u32) {
        let place = self.place(id);
        if *place & LISTED == 0 {
            *place |= LISTED;
            self.listed.push(id);
        }
    }

    /// A checkpoint has a key.
    pub(super) fn restored(&mut self, id: u32) {
        *self.place(id) |= SAVED;
    }

    fn place(&mut self, id: u32) -> &mut u8 {
        let id = id as usize;
        if id >= self.places.len() {
            self.places.resize(id + 1, 0);
        }
        &mut self.places[id]
    }

    /// The key of a place was forgotten.
    pub(super) fn forgotten(&mut self, id: u32, key: Box<[u8]>) {
        let place = self.place(id);
        let was_saved = *place & SAVED != 0;
        *place &= !SAVED;
        self.gone.extend(was_saved.then_some(key));
    }

    /// A checkpoint has all of it. `lives` says whether a place has a key.
    pub(super) fn set_saved(&mut self, lives: impl Fn(u32) -> bool) {
        for id in std::mem::take(&mut self.listed) {
            self.places[id as usize] = if lives(id) { SAVED } else { 0 };
        }
        (self.gone, self.cleared) = (Vec::new(), false);
    }

    /// Places move: `from` is that of each that is kept, in order.
    pub(super) fn moved(&mut self, from: impl Iterator<Item = u32>) {
        let before = std::mem::take(&mut self.places);
        let of = |id: u32| before.get(id as usize).copied().unwrap_or(0);
        self.places = from.map(of).collect();
        let is_listed = |(_, place): &(u32, &u8)| *place & LISTED != 0;
        self.listed = (0..).zip(&self.places).filter(is_listed).map(|(id, _)| id).collect();
    }

    pub(super) fn listed(&self) -> &[u32] {
        &self.listed
    }

    pub(super) fn gone(&self) -> &[Box<[u8]>] {
        &self.gone
    }

    pub(super) fn is_cleared(&self) -> bool {
        self.cleared
    }
}
