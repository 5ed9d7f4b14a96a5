//! The small rules: what is a name, and what lies in what.

use super::pipeline_name;

#[test]
fn a_wrong_name_comes_with_a_right_one() {
    assert_eq!(pipeline_name("sales-2"), Ok("sales-2".to_owned()));
    for name in ["", "-sales", "Sales", "sales_2", "größe", &"x".repeat(64)] {
        assert!(pipeline_name(name).is_err(), "{name}");
    }
    let error = pipeline_name("My Sales!").unwrap_err();
    assert!(error.ends_with("for example \"my-sales\""), "{error}");
}
