//! A stage connects the inputs of its plugin with columns of other names, and what replaces the plugin is connected
//! alike.

use super::*;

/// The pipeline of the other tests, with the texts in the column `message`.
fn mapped() -> String {
    let text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml());
    let mut text =
        text.replace("UPDATES", UPDATES).replace("text = \"string\"", "message = \"string\"");
    for plugin in ["drop", "repeat"] {
        let stage = format!("plugin = \"{plugin}\"\n");
        assert!(text.contains(&stage));
        text = text.replace(&stage, &format!("{stage}columns = {{ text = \"message\" }}\n"));
    }
    text
}

fn messages(partitions: &[Vec<Event>]) -> Logs {
    let line = |line: &String| line.replace("\"text\"", "\"message\"");
    let logs = logs_of(partitions);
    let log = |(partition, log): (&Partition, &Vec<String>)| {
        (partition.clone(), log.iter().map(line).collect())
    };
    Arc::new(logs.iter().map(log).collect())
}

/// What the map makes is called as the map calls it: the aggregate behind it reads that, and the late rows have both.
#[test]
fn inputs_read_columns_of_other_names_and_outputs_keep_theirs() {
    let world = World::of(&mapped(), None);
    let events =
        |count: u8| (0..count).map(|n| Event { key: n % 3, at: i64::from(n), kind: n % 10 });
    let partitions = [events(40).collect(), events(25).collect()];
    let logs = messages(&partitions);
    let (mut lane, commands) = world.open(&logs, 2, 1);
    lane.step().unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let module = native::module("drop-2", PluginKind::Filter);
    commands.try_send(Command::Activate { stage: "drop".to_owned(), module, reply }).unwrap();
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    answer.blocking_recv().unwrap().unwrap();
    let (rows, fates) = expected(&partitions, TUMBLING, 0);
    assert_eq!(world.results(), rows);
    assert_eq!(total(world.chain().last().unwrap()), fates);
    let tables = fit_all(&world.config, &world.modules(None)).unwrap().tables;
    let late = &tables.iter().find(|table| table.id == "late").unwrap().schema;
    let names: Vec<&str> = late.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[..4], ["key", "message", "at", "text"]);
}

/// Every kind of stage; and only what is connected is read.
#[test]
fn a_stage_that_connects_nothing_lacks_its_input() {
    let unfit = |text: &str| {
        let world = World::of(text, None);
        fit_all(&world.config, &world.modules(None)).map(drop).unwrap_err().to_string()
    };
    let without = mapped().replacen("columns = { text = \"message\" }\n", "", 1);
    assert_eq!(
        unfit(&without),
        "stage `drop`: plugin `drop` wants the column `text` (string), which its rows lack: they have `key`, `message`, \
         `at`; declare it under [schema], name another one (`columns = { text = \"…\" }` in the stage), or rename the field \
         in the plugin"
    );
    let aggregate = "plugin = \"join\"\n";
    let other = mapped().replace(aggregate, &format!("{aggregate}columns = {{ text = \"at\" }}\n"));
    assert_eq!(
        unfit(&other),
        "stage `join`: plugin `join` reads the column `at` for its input `text` as string, its rows have it as timestamp; \
         change its type under [schema], or in the plugin"
    );
    let process = "[[stages]]\nid = \"watch\"\nkind = \"process\"\nplugin = \"watch\"\nCOLUMNS\n\
        [process]\nkey = [\"key\"]\n[[sinks]]\nid = \"rows\"\ntype = \"parquet\"\npath = \"unused\"\n\
        [checkpoint]\npath = \"unused-chain\"\n";
    let head = HEAD.replace("text = \"string\"", "message = \"string\"\nmore = \"string\"");
    let text = [&head, process].concat();
    assert!(unfit(&text.replace("COLUMNS", "")).contains("wants the column `text` (string)"));
    let world = World::of(&text.replace("COLUMNS", "columns = { text = \"message\" }"), None);
    let plan = Plan::new(&world.config, &world.modules(None)).unwrap();
    let read = plan.decoder();
    let names = read.schema().fields().iter().map(|field| field.name().clone());
    assert_eq!(names.collect::<Vec<_>>(), ["key", "message", "at"]);
}
