//! The groups of a call by the codes of their keys: a row finds its group by index.

use super::row::PlaceId;

/// Keys × places, in all four bytes each that fit into the cache of a core: beyond them groups are found by hash.
const ENTRIES_MAX: usize = 1 << 16;

/// Rows of a call lie in few places, or have few neighbours in one.
const PLACES_MAX: usize = 32;

/// For each place of a call and each code the group's index in the call. Reused from call to call.
#[derive(Debug, Default)]
pub(super) struct Locals {
    places: Vec<PlaceId>,
    /// Those of a place stand together, by code.
    locals: Vec<u32>,
}

impl Locals {
    /// No row has touched the group yet.
    pub(super) const ABSENT: u32 = u32::MAX;

    /// Begins a call, whose codes are others.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.locals.clear();
    }

    /// The groups of a place by code, of `distinct` codes in this call. None: there is no room for so many.
    pub(super) fn of(&mut self, place: PlaceId, distinct: usize) -> Option<&mut [u32]> {
        let known = self.places.iter().rposition(|known| *known == place);
        let index = known.unwrap_or(self.places.len());
        let start = index * distinct;
        if known.is_none() {
            if index == PLACES_MAX || start + distinct > ENTRIES_MAX {
                return None;
            }
            self.places.push(place);
            self.locals.resize(start + distinct, Self::ABSENT);
        }
        Some(&mut self.locals[start..start + distinct])
    }
}
