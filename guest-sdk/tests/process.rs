//! The rules of timers, one by one: `wit/plugin.wit`, interface `process-rows`.

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;
use sluicegate_sdk::testing::process;

/// Does what the row says: `set 5s`, `move 5s`, `delete`, `forget`, `emit`, `refuse`, several with commas. Timers with
/// the id 1 set themselves anew 10 s later, for ever; all others only say that they fired.
struct Script;

#[derive(Row)]
struct Line<'a> {
    say: &'a str,
}

#[derive(Default, Serialize, Deserialize, State)]
struct Count(Vec<i64>);

#[derive(OutputRow)]
struct Said {
    what: String,
    rows: i64,
}

impl Process for Script {
    type Row<'a> = Line<'a>;
    type State = Count;
    type Output = Said;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_row(&self, line: Line<'_>, key: &mut Keyed<'_, Self>) -> Result<(), Refused> {
        key.state.0.push(1);
        for order in line.say.split(',') {
            let mut words = order.split_whitespace();
            let (word, argument) = (words.next().ok_or("an order has a word")?, words.next());
            let at = || {
                let span = argument.and_then(|text| text.parse::<Span>().ok());
                Timestamp(span.expect("a timer has a time").0)
            };
            match word {
                "set" => key.set_timer(at(), 0),
                "tick" => key.set_timer(at(), 1),
                "move" => key.move_timer(at(), 0),
                "delete" => key.delete_timers(0),
                "forget" => key.forget(),
                "emit" => self.say("row", key),
                _ => return Err("as it was told".into()),
            }
        }
        Ok(())
    }

    fn on_timer(&self, id: u32, key: &mut Keyed<'_, Self>) {
        self.say("timer", key);
        if id == 1 {
            key.set_timer(key.time() + Span(10_000_000), 1);
        }
    }
}

impl Script {
    fn say(&self, what: &str, key: &mut Keyed<'_, Self>) {
        let rows = key.state.0.len() as i64;
        key.emit(Said { what: what.to_owned(), rows });
    }
}

export!(process: Script);

fn run(table: &str) -> Vec<String> {
    process(Plugin, &[], table).expect("the script takes no configuration").rows
}

#[test]
fn rule_1_the_smallest_fires_first_and_once() {
    let rows = run("
        time | say
        1s   | set 9s,set 3s,set 9s,set 6s
        20s  | emit
        21s  | emit
    ");
    let expected = [
        "20s | 0 | row | 2",
        "3s | 0 | timer | 2",
        "6s | 0 | timer | 2",
        "9s | 0 | timer | 2",
        "21s | 0 | row | 3",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn rule_2_before_a_row_fires_what_its_watermark_has_passed() {
    let rows = run("
        time | watermark | say
        1s   | 0s        | set 5s
        6s   | 4s        | emit
        7s   | 5s        | emit
    ");
    assert_eq!(rows, ["6s | 0 | row | 2", "5s | 0 | timer | 2", "7s | 0 | row | 3"]);
}

#[test]
fn rule_4_a_timer_in_the_past_fires_when_the_row_is_done() {
    let rows = run("
        time | watermark | say
        1s   | 60s       | set 3s,emit
        1s   | 60s       | emit
    ");
    assert_eq!(rows, ["1s | 0 | row | 1", "3s | 0 | timer | 1", "1s | 0 | row | 2"]);
}

#[test]
fn rule_5_what_a_timer_sets_fires_in_its_turn() {
    let rows = run("
        time | say
        1s   | tick 5s,set 20s
        30s  | emit
        40s  | forget
    ");
    let expected = [
        "30s | 0 | row | 2",
        "5s | 0 | timer | 2",
        "15s | 0 | timer | 2",
        "20s | 0 | timer | 2",
        "25s | 0 | timer | 2",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn rule_6_a_refused_row_leaves_no_trace() {
    let answer = process(
        Plugin,
        &[],
        "
        time | say
        1s   | set 50s,set 60s
        2s   | set 3s,emit,delete,refuse
        3s   | forget,refuse
        4s   | emit
    ",
    )
    .unwrap();
    assert_eq!(answer.rejects, ["row 1: as it was told", "row 2: as it was told"]);
    let expected = ["4s | 0 | row | 2", "50s | 0 | timer | 2", "1m | 0 | timer | 2"];
    assert_eq!(answer.rows, expected);
}

#[test]
fn rule_7_at_the_end_every_timer_fires_once() {
    let rows = run("time | say\n1s | tick 5s,set 90s\n16s | emit");
    let expected = [
        "16s | 0 | row | 2",
        "5s | 0 | timer | 2",
        "15s | 0 | timer | 2",
        "25s | 0 | timer | 2",
        "90s | 0 | timer | 2",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn timers_move_and_go_by_their_id() {
    let rows = run("
        time | say
        1s   | set 5s,set 6s,tick 50s
        2s   | move 7s
        3s   | set 8s,delete
        9s   | forget
        10s  | emit
    ");
    assert_eq!(rows, ["10s | 0 | row | 1"]);
}

mod clock {
    //! Tells what a plugin may know of time.

    use super::*;

    pub(super) struct Clock;

    #[derive(Row)]
    pub(super) struct Nothing {}

    #[derive(Clone, Copy, Default, PlainState)]
    pub(super) struct Rows {
        rows: i64,
    }

    #[derive(OutputRow)]
    pub(super) struct Told {
        watermark: Option<Timestamp>,
        late: bool,
    }

    impl Process for Clock {
        type Row<'a> = Nothing;
        type State = Rows;
        type Output = Told;

        fn new(_: &Config) -> Result<Self, String> {
            Ok(Self)
        }

        fn on_row(&self, _: Nothing, key: &mut Keyed<'_, Self>) -> Result<(), Refused> {
            key.state.rows += 1;
            key.set_timer(key.time(), 0);
            key.emit(Told { watermark: key.watermark(), late: key.is_late() });
            Ok(())
        }

        fn on_timer(&self, _: u32, key: &mut Keyed<'_, Self>) {
            key.emit(Told { watermark: key.watermark(), late: key.is_late() });
        }
    }

    export!(process: Clock);
}

/// And it is the same however the rows are cut into calls: the harness compares.
#[test]
fn a_row_knows_its_watermark_and_a_timer_its_time() {
    let rows = "
        time | watermark
        5s   | -9223372036854775808
        9s   | 4s
        7s   | 7s
        6s   | 7s
        8s   | 7s
    ";
    let expected = [
        "5s | 0 | null | false",
        "9s | 0 | 4000000 | false",
        "5s | 0 | 5000000 | false",
        "7s | 0 | 7000000 | true",
        "7s | 0 | 7000000 | false",
        "6s | 0 | 7000000 | true",
        "6s | 0 | 6000000 | false",
        "8s | 0 | 7000000 | false",
        "8s | 0 | 8000000 | false",
        "9s | 0 | 9000000 | false",
    ];
    assert_eq!(process(clock::Plugin, &[], rows).unwrap().rows, expected);
}
