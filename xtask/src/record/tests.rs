//! A recording is what was printed, cut to what fits a page.

use super::excerpt::excerpt;
use super::replaced;

const LOG: &str = "\
   Compiling sluicegate v0.1.0

— Live results follow, not yet committed. In 12 s the filter `valid-sale` is swapped for `premium-sale`.

demo: 5 changed rows of epoch 1, not yet committed (times in UTC)
store   | revenue
--------+--------
store-0 |    1.00
demo: 5 changed rows of epoch 2, not yet committed (times in UTC)
store   | revenue
--------+--------
store-0 |    2.00
store-1 |    2.00
store-2 |    2.00
store-3 |    2.00

— Hot swap: upload, then activate.

$ /home/someone/target/debug/sluicegate plugin push premium-sale plugins/premium-sale.wasm --url http://127.0.0.1:34135
premium-sale version 1 stored: filter, 56386 bytes, c34988c3ddb1
demo: 1 changed rows of epoch 3, not yet committed (times in UTC)
store   | revenue
--------+--------
store-0 |    3.00

— Ending: the producer first.

demo: 1 changed rows, the last before the end (times in UTC)
store   | revenue
--------+--------
store-0 |    9.00

— What was committed, as readers of the Delta table see it:

$ /home/someone/target/debug/sluicegate table /home/someone/target/demo/data/revenue --rows 12
+---------+---------+
| store   | revenue |
+---------+---------+
| store-0 | 1.00    |
| store-1 | 1.00    |
| store-2 | 1.00    |
| store-3 | 1.00    |
+---------+---------+
4 rows shown; 1 files in `/home/someone/target/demo/data/revenue`

— The table is /home/someone/target/demo/data/revenue
";

const EXCERPT: &str = "\
— Live results follow, not yet committed. In 12 s the filter `valid-sale` is swapped for
  `premium-sale`.

demo: 5 changed rows of epoch 2, not yet committed (times in UTC)
store   | revenue
--------+--------
store-0 |    2.00
store-1 |    2.00
store-2 |    2.00
…

— Hot swap: upload, then activate.

$ sluicegate plugin push premium-sale plugins/premium-sale.wasm
premium-sale version 1 stored: filter, 56386 bytes, c34988c3ddb1

demo: 1 changed rows of epoch 3, not yet committed (times in UTC)
store   | revenue
--------+--------
store-0 |    3.00

— What was committed, as readers of the Delta table see it:

$ sluicegate table data/revenue --rows 12
+---------+---------+
| store   | revenue |
+---------+---------+
| store-0 | 1.00    |
| store-1 | 1.00    |
| store-2 | 1.00    |
…
4 rows shown; 1 files in `data/revenue`
";

#[test]
fn a_recording_is_the_first_rows_of_what_was_printed() {
    assert_eq!(excerpt(LOG).unwrap(), EXCERPT);
}

#[test]
fn a_demo_that_was_cut_off_is_no_recording() {
    let (cut, _) = LOG.split_once("— What was committed").unwrap();
    assert_eq!(excerpt(cut), None);
}

#[test]
fn a_recording_takes_the_place_of_the_one_before() {
    let page = "a\n<!-- recorded by `cargo xtask record`: begin -->\nold\n\
                <!-- recorded by `cargo xtask record`: end -->\nb\n";
    let new = replaced(page, "new\n").unwrap();
    assert_eq!(new, page.replace("old\n", "```text\nnew\n```\n"));
    assert_eq!(replaced("no place", "new\n"), None);
}
