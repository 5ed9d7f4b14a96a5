//! A filter is swapped under load: no row is lost or doubled, the old logic decides up to the recorded epoch and the
//! new logic from there on.
