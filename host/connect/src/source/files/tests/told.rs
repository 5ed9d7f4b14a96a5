//! What of files is not read is told by name, once.

use super::growing::append;
use super::warnings::Warnings;
use super::{Folder, lines};
use crate::source::tests::{Fixture, Records, genesis, limits, read_on};
use sluicegate_pipeline::FileOrder;

#[test]
fn what_is_added_to_a_file_after_it_was_listed_is_told_of_each_file() {
    for order in [FileOrder::Parallel, FileOrder::Sequential] {
        for grows in ["a.ndjson", "b.ndjson", "c.ndjson"] {
            for (listed, added, unread) in
                [("{\"n\"", ":2}\n{\"n\":3}\n", 16), ("", "{\"n\":3}\n", 8)]
            {
                let what = format!("{order:?} {grows} {listed}");
                let mut folder = Folder::new(&[]);
                for name in ["a.ndjson", "b.ndjson", "c.ndjson"] {
                    folder.write(name, &lines(0, 3));
                }
                append(&folder, grows, listed);
                folder.config.order = order;
                let mut source = folder.source();
                let mut positions = genesis(source.as_mut());
                append(&folder, grows, added);
                source.assign(&positions).unwrap();
                let (mut records, warnings) = (Records::new(), Warnings::default());
                warnings.hear(|| {
                    read_on(source.as_mut(), &limits(2), &mut records, &mut positions);
                });
                assert_eq!(records.values().map(Vec::len).sum::<usize>(), 9, "{what}");
                let told = warnings.take();
                assert_eq!(told.len(), 1, "{what}: {told:?}");
                let words = format!("grew after it was listed: {unread} bytes");
                assert!(told[0].contains(grows) && told[0].contains(&words), "{what}: {told:?}");
            }
        }
    }
}
