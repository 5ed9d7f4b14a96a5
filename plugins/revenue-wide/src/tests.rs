//! Sums are exact beyond 18 digits, and what `revenue` wrote is read.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn sums_may_be_long_on_the_way() {
    let much = "9999999999999999.98";
    let answer = aggregate(Plugin, &[], &format!("price\n{much}\n{much}\n-{much}\n0.01")).unwrap();
    assert_eq!(answer.rows, ["0 | 9999999999999999.99 | 4"]);
    assert_eq!(answer.rejects, [""; 0]);
}

#[test]
fn what_the_first_version_wrote_is_taken_over() {
    let old = TotalV1 { revenue: "-12.30".parse().unwrap(), sales: 3 };
    let mut bytes = Vec::new();
    old.encode(&mut bytes);
    let total = Revenue.migrate(1, &bytes).unwrap();
    assert_eq!((total.cents, total.sales), (-1_230, 3));
    assert!(Revenue.migrate(1, &bytes[1..]).is_err());
    assert!(Revenue.migrate(3, &bytes).is_err());
}
