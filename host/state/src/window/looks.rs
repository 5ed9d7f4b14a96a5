//! Counts how many sessions and windows are looked at, for tests of what work grows with. Elsewhere it is nothing.

#[cfg(test)]
thread_local! {
    pub(super) static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[inline]
pub(super) fn count() {
    #[cfg(test)]
    LOOKS.set(LOOKS.get() + 1);
}
