//! How the columns of a table may change.

use super::*;

fn columns(lane: &Lane) -> Vec<String> {
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    let fields = schema::parse(&table.state.metadata.unwrap().schema_string).unwrap();
    let text = |field: schema::Field| {
        format!("{} {}{}", field.name, field.kind, if field.nullable { "?" } else { "" })
    };
    fields.into_iter().map(text).collect()
}

#[test]
fn a_column_that_is_new_is_added_and_one_that_is_not_written_any_more_stays() {
    let mut lane = Lane::new();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(columns(&lane), ["n \"long\"?"]);
    let mut log = open(&lane, &["n", "m"]).unwrap();
    assert_eq!(columns(&lane), ["n \"long\"?"], "nothing has it yet");
    lane.commit(1, &["n", "m"]);
    catch_up(&lane, &mut log).unwrap();
    assert_eq!(columns(&lane), ["n \"long\"?", "m \"long\"?"]);
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(columns(&lane), ["n \"long\"?", "m \"long\"?"]);
}

#[test]
fn other_changes_are_refused_with_what_to_do() {
    let mut lane = Lane::new();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let said = open(&lane, &["N"]).unwrap_err().to_string();
    assert!(said.contains("column `N` is `n` in the table; change the pipeline back"), "{said}");
    let mut shape = lane::shape(&["n"]);
    shape.columns[0].kind = serde_json::json!("string");
    let opened = TableLog::open(
        &lane.storage,
        "numbers",
        Arc::new(shape),
        Clock::manual(0),
        Names::random(),
    );
    let said = lane.runtime.block_on(opened).unwrap_err().to_string();
    assert!(said.contains("column `n` is string here and long in the table"), "{said}");
    let mut shape = lane::shape(&["n"]);
    shape.partition_by.push("date".to_owned());
    let opened = TableLog::open(
        &lane.storage,
        "numbers",
        Arc::new(shape),
        Clock::manual(0),
        Names::random(),
    );
    let said = lane.runtime.block_on(opened).unwrap_err().to_string();
    assert!(said.contains("is partitioned by [], and the pipeline by [\"date\"]"), "{said}");
}

#[test]
fn what_is_nullable_now_may_be_null_in_the_table() {
    let strict = {
        let mut shape = lane::shape(&["n"]);
        shape.columns[0].nullable = false;
        shape
    };
    let fields: Vec<schema::Field> = strict.columns.iter().map(Into::into).collect();
    assert_eq!(schema::grown(&fields, &strict), Ok(None));
    let grown = schema::grown(&fields, &lane::shape(&["n"])).unwrap().unwrap();
    assert!(grown[0].nullable);
    let lost = schema::grown(&fields, &lane::shape(&["m"])).unwrap_err();
    assert_eq!(lost, "no row has the column `n`, which the table demands");
}
