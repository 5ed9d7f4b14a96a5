//! Of the product's runtime; the stage of a simulation is tried in its crate.

use super::*;

#[test]
fn a_thread_gives_what_it_made_and_what_it_panicked_with() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let runtime = Runtime::from(runtime.handle().clone());
    let thread = |work: fn() -> u8| runtime.thread("t".to_owned(), Some(1 << 20), work).unwrap();
    assert_eq!(thread(|| 7).join().unwrap(), 7);
    let panicked = thread(|| std::panic::resume_unwind(Box::new("why"))).join().unwrap_err();
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"why"));
}

#[test]
fn names_differ_and_have_the_length_that_paths_expect() {
    let names = Names::random();
    let (one, other) = (names.next(), names.next());
    assert_ne!(one, other);
    assert_eq!((one.len(), names.next_short().len()), (32, 12));
    let given = Names::from_bits(|| 0xabc << 116);
    assert_eq!(given.next_short(), "abc000000000");
}
