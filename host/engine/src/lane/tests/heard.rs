//! A lane whose plugin keeps failing hears a command and a stop in the middle of a turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::failures::{logs, world};
use super::log::LogSource;
use super::*;
use sluicegate_connect::source::{PartitionProgress, PollLimits, RecordBlock, Source, SourceError};
use sluicegate_model::position::Positions;

/// What happens after records were polled, before the turn that takes them.
type Happening = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A source during whose first poll something happens.
struct Interrupted {
    source: LogSource,
    happens: Happening,
}

impl Source for Interrupted {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        self.source.genesis()
    }
    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        self.source.assign(positions)
    }
    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        let blocks = self.source.poll(limits)?;
        if !blocks.is_empty()
            && let Some(happens) = self.happens.lock().unwrap().take()
        {
            happens();
        }
        Ok(blocks)
    }
    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        self.source.pause(paused)
    }
    fn progress(&self) -> &[PartitionProgress] {
        self.source.progress()
    }
    fn acknowledge(&mut self, positions: &Positions) {
        self.source.acknowledge(positions);
    }
    fn problem(&self) -> Option<String> {
        self.source.problem()
    }
}

/// A lane that is about to read slow rows, each of which says that it takes a second of CPU time.
fn about_to_fail(world: &World, happens: &Happening) -> (Lane, mpsc::Sender<Command>) {
    let logs = logs((0..40).map(|n| if n % 2 == 0 { "slow".to_owned() } else { n.to_string() }));
    let source = Interrupted { source: LogSource::new(&logs, 40, 1), happens: Arc::clone(happens) };
    world.open_at(Box::new(source), 1, &Clock::system())
}

#[test]
fn a_command_breaks_a_failing_turn_off_and_the_next_life_takes_it_first() {
    let (world, happens) = (world(""), Happening::default());
    let (mut lane, commands) = about_to_fail(&world, &happens);
    let (reply, _answer) = oneshot::channel();
    let module = native::module("drop", PluginKind::Filter);
    let command = Command::Activate { stage: "drop".to_owned(), module, reply };
    let sent = Box::new(move || commands.try_send(command).unwrap());
    *happens.lock().unwrap() = Some(sent);
    let broken_off = lane.run().unwrap_err();
    assert!(matches!(broken_off, LaneError::BrokenOff), "{broken_off}");
    assert_eq!(lane.desk.outside.status.load().phase, Phase::Isolating);
    assert_eq!(world.count("dead_letters") + world.count("results"), 0, "nothing is committed");
    let Some(Command::Activate { stage, .. }) = lane.desk.outside.commands.try_take() else {
        panic!()
    };
    assert_eq!(stage, "drop");
}

#[test]
fn a_stop_breaks_a_failing_turn_off() {
    let (world, happens) = (world(""), Happening::default());
    let (mut lane, _commands) = about_to_fail(&world, &happens);
    let stop = lane.desk.outside.stop.clone();
    *happens.lock().unwrap() = Some(Box::new(move || stop.ask()));
    assert_eq!(lane.run().unwrap(), LaneEnd::CutShort);
    assert_eq!(world.count("dead_letters") + world.count("results"), 0, "nothing is committed");
}

/// The life that was to take it did not come to run, and whoever asked waits.
#[test]
fn a_command_that_was_kept_is_refused_where_no_life_takes_it() {
    let (commands_tx, receiver) = mpsc::channel(4);
    let commands = Commands::new(receiver);
    let ask = |stage: &str| {
        let (reply, answer) = oneshot::channel();
        let module = native::module("drop", PluginKind::Filter);
        let command = Command::Activate { stage: stage.to_owned(), module, reply };
        commands_tx.try_send(command).unwrap();
        answer
    };
    let mut first = ask("first");
    commands.hold();
    let mut second = ask("second");
    // Another life is broken off before it takes anything: what was kept stays so, and the other waits its turn.
    commands.hold();
    assert!(first.try_recv().is_err(), "nobody has answered yet");
    commands.refuse_held(Refusal::NotOpen(Awaited::NextLife));
    let refusal = first.try_recv().unwrap().unwrap_err();
    assert_eq!(refusal.to_string(), "has failed and waits to be opened again");
    assert!(second.try_recv().is_err(), "it was not kept");
    let Some(Command::Activate { stage, .. }) = commands.try_take() else { panic!() };
    assert_eq!(stage, "second");
    commands.refuse_held(Refusal::NotOpen(Awaited::NextLife));
}

/// What comes between an activation and its barrier would be the work of a module that is to go, and that may take
/// long.
#[test]
fn no_turn_is_taken_while_an_activation_waits_for_the_commit_before_it() {
    let world = world("");
    let logs = logs((0..200).map(|n| n.to_string()));
    let (mut lane, commands) =
        world.open_at(Box::new(LogSource::new(&logs, 3, 1)), 1, &Clock::system());
    // Messages are on their way: no epoch may be handed to the committer.
    while !lane.outputs.is_unsent() {
        assert_eq!(lane.step().unwrap(), None, "no message was sent");
    }
    let (reply, _answer) = oneshot::channel();
    let module = native::module("drop-2", PluginKind::Filter);
    let digest = module.digest;
    commands.try_send(Command::Activate { stage: "drop".to_owned(), module, reply }).unwrap();
    let read = |lane: &Lane| lane.intake.partitions.total().read;
    let before = read(&lane);
    while lane.ledger.modules[0].pinned.digest != digest {
        lane.step().unwrap();
        assert_eq!(read(&lane), before, "a turn came between");
    }
    lane.step().unwrap();
}
