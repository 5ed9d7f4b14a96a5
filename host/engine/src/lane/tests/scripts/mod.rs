//! Scripts: events, silences and restarts, line by line, and below each line what a whole lane makes of it: source,
//! decoder, event time, windows or keys, tables and chain.
//!
//! ```text
//!  window tumbling 10s                                 the head: what the pipeline is
//!  p0 12:00:03 a tea                                   a statement: a record of partition 0
//!      watermark  12:00:03                             what it leads to: the lane's watermark, where it has moved,
//!  p0 12:00:10 a milk
//!      result     12:00:00..12:00:10 a: tea            and the rows that stand in the tables after the commit
//! ```
//!
//! A script is a file beside this one; `UPDATE_EXPECT=1` writes its indented lines. What lines there are: [`Settings`],
//! [`Statement`]. Each script is run in six ways (see [`Way`]), and what a reader of the tables sees must be the same
//! in all of them: after every line, unless lines are read together, and then at the end.
//!
//! Names begin with the rule of docs/design/time.md that they show.

mod diary;
mod shown;
mod statement;
mod topic;

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::{ExpectFile, expect_file};

use super::looked::look;
use super::*;
use crate::lane::intake::partitions::LanePartition;
pub(super) use diary::DIARY;
use shown::{dead, late, live, result};
use statement::{Settings, Statement, noon, show_time};
use topic::Shared;

macro_rules! scripts {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            check(&expect_file![concat!(stringify!($name), ".script")]);
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

scripts! {
    rule_1_the_lane_is_the_least_of_its_partitions,
    rule_1_the_watermark_is_never_lower_after_a_restart,
    rule_1_a_watermark_that_silence_has_moved_is_stored,
    rule_1_time_goes_on_where_rows_are_dropped,
    rule_2_a_row_does_not_judge_itself,
    rule_2_a_row_is_late_only_if_it_is_late_for_all_its_windows,
    rule_2_a_window_fires_when_the_watermark_reaches_its_end,
    rule_2_late_by_the_watermark_of_its_own_partition,
    rule_3_a_partition_that_lags_is_not_idle,
    rule_3_a_partition_that_comes_back_does_not_lower_the_watermark,
    rule_3_a_partition_that_is_added_is_waited_for,
    rule_3_idle_needs_silence,
    rule_4_the_offset_also_counts_when_a_window_fires,
    rule_4_the_size_need_not_be_a_multiple_of_the_slide,
    rule_4_times_before_1970_are_ordinary_times,
    rule_4_windows_at_the_ends_of_time_are_cut_off,
    rule_4_windows_begin_at_1970_plus_the_offset,
    rule_5_a_row_that_closes_the_gap_makes_one_session_of_two,
    rule_5_a_session_fires_when_the_watermark_reaches_last_plus_gap,
    rule_5_a_session_that_grows_for_ever_is_cut,
    rule_5_late_is_judged_on_the_merged_session,
    rule_5_sessions_that_touch_are_one,
    rule_6_a_record_without_a_time_is_a_dead_letter,
    rule_6_a_record_without_a_timestamp_is_not_guarded,
    rule_6_a_wild_clock_does_not_move_the_watermark,
    rule_6_a_time_far_ahead_of_the_rows_before_it_is_refused,
    rule_6_two_rows_that_agree_are_a_gap_in_the_data,
    rule_6_a_row_that_is_refused_hides_no_late_row,
    rule_6_a_row_that_jumps_is_refused_before_any_plugin,
    rule_6_the_guard_compares_with_the_record_and_not_with_the_host,
    rule_6_a_sender_whose_clock_sets_both_times_is_bound_by_the_hosts,
    rule_6_the_host_may_be_the_only_reference,
    rule_7_a_stop_is_not_the_end_of_input,
    rule_7_the_end_of_input_fires_every_window,
    rule_8_a_row_is_in_one_pane_and_in_many_windows,
    rule_8_windows_with_gaps_leave_rows_out,
    lateness_a_correction_covers_no_closed_session,
    lateness_a_row_from_the_left_joins_an_open_session,
    lateness_a_fired_window_is_corrected_until_it_is_gone,
    lateness_a_session_grows_after_it_has_fired,
    lateness_a_window_that_had_no_rows_fires_late,
    lateness_of_sliding_windows,
    emission_a_global_window_tells_what_has_changed,
    emission_early_results_of_open_windows,
    emission_is_by_window_and_key,
    commit_what_was_not_committed_is_read_again,
    process_a_key_has_a_bounded_number_of_timers,
    process_a_chain_of_timers_is_cut,
    process_a_key_is_forgotten_when_its_time_is_over,
    process_fraud_velocity,
    process_no_row_is_late,
    process_sessionize_clicks,
    process_timers_fire_before_the_row_that_has_passed_them,
    process_timers_of_the_past_fire_right_after_their_row,
}

#[test]
fn every_script_is_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lane/tests/scripts");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let names: BTreeSet<String> =
        names.filter_map(|name| Some(name.strip_suffix(".script")?.to_owned())).collect();
    assert_eq!(names, NAMES.iter().map(|name| (*name).to_owned()).collect());
}

/// How a script is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    AsWritten,
    ThreeWorkers,
    /// Stopped and opened again after every statement, with one worker and with three in turns.
    Restarts,
    /// What each statement brings is read twice: the first time the lane dies before the commit.
    Crashes,
    /// Before every step somebody looks into the open groups.
    Looked,
    /// Records that follow each other come in one turn, partition by partition.
    AtOnce,
}

fn check(expected: &ExpectFile) {
    let script = &expected.data();
    let written = Run::of(script, Way::AsWritten);
    expected.assert_eq(&written.transcript);
    for way in [Way::ThreeWorkers, Way::Restarts, Way::Crashes] {
        assert_same(way, &Run::of(script, way).committed(), &written.committed());
    }
    // Also what listeners are told is the same.
    let lines = |run: &Run| run.transcript.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_same(Way::Looked, &lines(&Run::of(script, Way::Looked)), &lines(&written));
    // Which partition is silent when depends on how they interleave, and that is what this changes.
    if !written.has_silence {
        assert_same(Way::AtOnce, &Run::of(script, Way::AtOnce).left(), &written.left());
    }
}

#[track_caller]
fn assert_same(way: Way, run: &[String], written: &[String]) {
    let (run, written) = (run.join("\n"), written.join("\n"));
    assert!(run == written, "{way:?} gives\n{run}\n\ninstead of\n{written}");
}

/// Comments, empty lines.
fn says_nothing(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// A row of a table as a line.
type Show = fn(&RecordBatch, usize) -> String;

/// The tables, and how their rows are shown.
const TABLES: [(&str, &str, Show); 3] =
    [("results", "result", result), ("late", "late", late), ("dead_letters", "dead", dead)];

/// A script while it runs.
struct Run {
    way: Way,
    world: World,
    topic: Shared,
    clock: Clock,
    workers: usize,
    lane: Option<(Lane, mpsc::Sender<Command>)>,
    /// Nothing is committed.
    held: bool,
    /// How long nothing has come of each partition, and how long at the last commit.
    silence: Vec<Duration>,
    committed_silence: Vec<Duration>,
    has_silence: bool,
    // What was shown.
    epochs: usize,
    watermark: Watermark,
    transcript: String,
    /// What was shown of late rows and dead letters, and of results without windows.
    lines: Vec<String>,
}

impl Run {
    fn of(script: &str, way: Way) -> Self {
        let mut settings = Settings::new();
        let mut head = String::new();
        let mut lines = script.lines().filter(|line| !line.starts_with("  ")).peekable();
        while let Some(line) = lines.next_if(|line| says_nothing(line) || settings.take(line)) {
            head += &format!("{line}\n");
        }
        let mut run = Self::new(&settings, way, head);
        let mut together = Vec::new();
        for line in lines {
            run.transcript += &format!("{line}\n");
            if says_nothing(line) {
                continue;
            }
            let statement = settings.statement(line);
            if let (Way::AtOnce, Statement::Record { .. }) = (way, &statement) {
                together.push(statement);
            } else {
                run.execute(&std::mem::take(&mut together));
                run.execute(&[statement]);
            }
        }
        run.execute(&together);
        run
    }

    fn new(settings: &Settings, way: Way, head: String) -> Self {
        let mut config = settings.pipeline();
        // The script says when.
        config.checkpoint.interval = Duration::from_secs(1 << 32);
        let topic = Shared::default();
        topic.lock().partitions.resize(settings.partitions, Vec::new());
        let mut run = Self {
            way,
            world: World::of_config(config),
            topic,
            clock: Clock::manual(noon()),
            workers: if way == Way::ThreeWorkers { 3 } else { 1 },
            lane: None,
            held: false,
            silence: vec![Duration::ZERO; settings.partitions],
            committed_silence: vec![Duration::ZERO; settings.partitions],
            has_silence: false,
            epochs: 0,
            watermark: Watermark::None,
            transcript: head,
            lines: Vec::new(),
        };
        run.open();
        run
    }

    fn lane(&mut self) -> &mut Lane {
        &mut self.lane.as_mut().unwrap().0
    }

    /// Opens the lane. It counts silence anew, and a script that says nothing of that is to see no difference: the
    /// partitions that were silent at the last commit are so again, as long.
    fn open(&mut self) {
        self.lane = Some(self.world.open_at(self.topic.source(), self.workers, &self.clock));
        // With one worker a step fires all that is due, with three a slice of it.
        let fires_all = self.workers == 1;
        self.lane().logic.set_step((!fires_all).then_some(1));
        self.silence.clone_from(&self.committed_silence);
        let lengths: BTreeSet<Duration> =
            self.silence.iter().copied().chain([Duration::ZERO]).collect();
        let lengths: Vec<Duration> = lengths.into_iter().rev().collect();
        for length in lengths.windows(2) {
            // First all others are heard once more, then also these are silent.
            for least in [length[0] + Duration::from_nanos(1), length[0]] {
                let silent = |partition: &i32| self.silence[*partition as usize] >= least;
                let all = 0..self.silence.len() as i32;
                self.topic.lock().silent = Some(all.filter(silent).collect());
                self.lane().step().unwrap();
            }
            self.pass_looking(length[0] - length[1]);
        }
        if lengths.len() > 1 {
            self.lane().step().unwrap();
        }
        self.topic.lock().silent = None;
    }

    fn stop(&mut self) {
        let (mut lane, _commands) = self.lane.take().unwrap();
        lane.desk.outside.stop.ask();
        assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
    }

    /// Executes a statement, or records in one go, and shows what that leads to.
    fn execute(&mut self, statements: &[Statement]) {
        let Some(first) = statements.first() else { return };
        match first {
            Statement::Record { .. } | Statement::Idle { .. } | Statement::AddPartition => {
                self.happen(statements);
            }
            Statement::Restart => {
                self.stop();
                self.committed_silence.fill(Duration::ZERO);
                self.open();
            }
            Statement::Crash => {
                self.committed_silence.fill(Duration::ZERO);
                self.open();
                self.read();
            }
            Statement::Hold => self.held = true,
            Statement::Commit => self.held = false,
            Statement::State => {
                let groups = self.lane().logic.groups_len();
                self.show("groups", &groups.to_string());
            }
            Statement::Live => self.listen(),
            Statement::End => {
                self.topic.lock().ended = true;
                assert_eq!(self.lane().run().unwrap(), LaneEnd::Finished);
            }
        }
        if !self.held {
            self.commit();
        }
        self.show_news();
        if let Statement::End = first {
            self.show_total();
        } else if self.way == Way::Restarts && !self.held {
            self.stop();
            self.workers = 4 - self.workers;
            self.open();
        }
    }

    /// Something happens outside, and the lane sees it; twice, if it is to die before it has committed that.
    fn happen(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Record { partition, record } => {
                    self.topic.lock().partitions[*partition].push(record.clone());
                }
                Statement::AddPartition => self.topic.lock().partitions.push(Vec::new()),
                _ => {}
            }
            self.has_silence |= !matches!(statement, Statement::Record { .. });
        }
        self.pass(statements);
        if self.way == Way::Crashes && !self.held {
            self.open();
            self.pass(statements);
        }
    }

    /// Lets the lane see what statements have brought about.
    fn pass(&mut self, statements: &[Statement]) {
        self.silence.resize(self.topic.lock().partitions.len(), Duration::ZERO);
        for statement in statements {
            match statement {
                Statement::Record { partition, .. } => self.silence[*partition] = Duration::ZERO,
                Statement::Idle { length, lags } => self.pass_time(*length, *lags),
                _ => {}
            }
        }
        self.read();
    }

    /// Time passes, and the lane looks often enough to know that nothing came.
    fn pass_looking(&mut self, length: Duration) {
        let idle_after = self.world.config.event_time.idle_after;
        let every = idle_after.map_or(length, |idle_after| idle_after / 4);
        self.lane().step().unwrap();
        let mut left = length;
        while left > every {
            self.clock.advance(every);
            self.lane().step().unwrap();
            left -= every;
        }
        self.clock.advance(left);
    }

    /// Nothing comes: of one partition because it is slow, of the others because there is nothing.
    fn pass_time(&mut self, length: Duration, lags: Option<usize>) {
        match lags {
            None => self.pass_looking(length),
            Some(lags) => self.pass_lagging(length, lags),
        }
        self.silence.iter_mut().for_each(|silence| *silence += length);
        if let Some(lags) = lags {
            self.silence[lags] = Duration::ZERO;
        }
    }

    fn pass_lagging(&mut self, length: Duration, lags: usize) {
        let partitions = self.topic.lock().partitions.len();
        let others = (0..partitions).filter(|partition| *partition != lags);
        self.topic.lock().silent = Some(others.map(|partition| partition as i32).collect());
        self.pass_looking(length);
        self.lane().step().unwrap();
        self.topic.lock().silent = None;
    }

    /// Shows what somebody would see who began to listen now.
    fn listen(&mut self) {
        let mut listener = self.lane().desk.outside.live.subscribe();
        let _in_haste = self.lane().desk.outside.haste.claim();
        self.pass_time(Duration::from_millis(100), None);
        self.read();
        while let Ok(update) = listener.try_recv() {
            live(&update).iter().for_each(|line| self.show("live", line));
        }
    }

    /// Takes turns until everything is read.
    fn read(&mut self) {
        loop {
            if self.way == Way::Looked {
                look(self.lane(), 1_000, None);
            }
            self.lane().step().unwrap();
            let topic = self.topic.lock();
            let lane = &self.lane.as_ref().unwrap().0;
            let is_read = |(_, it): (usize, &LanePartition)| {
                let log = &topic.partitions[it.partition.number as usize];
                it.position.next_offset.get() == log.len() as i64
            };
            if lane.intake.partitions.iter().all(is_read) && !lane.logic.is_firing() {
                return;
            }
        }
    }

    fn commit(&mut self) {
        let lane = self.lane();
        if lane.ledger.dirty {
            lane.checkpoint().unwrap();
        }
        while lane.ledger.committer.in_flight() {
            lane.wait_for_commit().unwrap();
        }
        self.committed_silence.clone_from(&self.silence);
    }

    /// Shows what was committed since last time, and how far the watermark is.
    fn show_news(&mut self) {
        let chain = self.world.chain();
        let mut lines = Vec::new();
        for record in &chain[self.epochs..] {
            for (table, what, show) in TABLES {
                let batches = self.world.written(record, table);
                let rows =
                    batches.iter().flat_map(|it| (0..it.num_rows()).map(move |row| (it, row)));
                lines.extend(rows.map(|(batch, row)| (what, show(batch, row))));
            }
        }
        lines.iter().for_each(|(what, line)| self.show(what, line));
        self.epochs = chain.len();
        let watermark = self.lane().intake.partitions.clock().watermark();
        if watermark != self.watermark {
            let text = match watermark {
                Watermark::At(time) => show_time(time.0),
                other => other.to_string(),
            };
            self.transcript += &format!("    watermark  {text}\n");
        }
        self.watermark = watermark;
    }

    fn show(&mut self, what: &str, line: &str) {
        let line = format!("    {what:<9}  {line}");
        self.transcript += &format!("{line}\n");
        // Of windows the highest revision counts.
        if !["groups", "live"].contains(&what)
            && (what != "result" || self.world.config.window.is_none())
        {
            self.lines.push(line);
        }
    }

    fn show_total(&mut self) {
        let Fates { read, accepted, filtered, late, dead_lettered } =
            total(self.world.chain().last().unwrap());
        self.show(
            "read",
            &format!(
                "{read} = {accepted} accepted + {filtered} filtered + {late} late + {dead_lettered} dead-lettered"
            ),
        );
    }

    /// Everything that was shown, but for what was not committed.
    fn committed(&self) -> Vec<String> {
        let lines = self.transcript.lines().filter(|line| !line.starts_with("    live"));
        lines.map(str::to_owned).collect()
    }

    /// What is left to a reader of the tables.
    fn left(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        lines.sort();
        if self.world.config.window.is_some() {
            lines.extend(self.world.results());
        }
        lines
    }
}
