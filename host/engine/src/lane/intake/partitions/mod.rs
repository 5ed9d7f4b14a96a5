//! The partitions of a lane: where each stands, and what became of its records.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::counters::PartitionFates;
use crate::status::PartitionView;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::finished::{FinishedFiles, FinishedRecord};
use sluicegate_chain::record::{ChainRecord, PartitionState};
use sluicegate_connect::source::PartitionProgress;
use sluicegate_model::identity::Jump;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::time::EventTime;
use sluicegate_pipeline::{FileOrder, Pipeline, SourceConfig};
use sluicegate_state::watermark::LaneClock;

use crate::lane::intake::jump::Known;
use crate::lane::rows::Fate;

/// One partition of a lane.
#[derive(Clone, Debug)]
pub(in crate::lane) struct LanePartition {
    pub(in crate::lane) partition: Partition,
    pub(in crate::lane) position: Position,
    pub(in crate::lane) fates: Fates,
    /// What of the fates the metrics were told.
    told: Fates,
    pub(in crate::lane) end_offset: Option<i64>,
    /// The event time of its last row, if that has jumped.
    doubted: Option<EventTime>,
    /// How often its position was lost and moved since the lane was opened.
    pub(in crate::lane) jumps: u64,
}

/// All partitions, in the order they were found; an index changes only where files leave, between two turns.
#[derive(Debug)]
pub(in crate::lane) struct Partitions {
    all: Vec<LanePartition>,
    index: BTreeMap<Partition, usize>,
    clock: LaneClock,
    are_begun_in_order: bool,
    told_of_order: bool,
    finished: FinishedFiles,
    /// What became of the records of those.
    finished_fates: Fates,
    /// As the chain keeps them, until others finish.
    frozen: Option<FinishedRecord>,
    /// The last poll has seen one empty that is not idle yet, and only polls see it.
    fall_silent: bool,
}

impl Partitions {
    /// None yet.
    pub(in crate::lane) fn new(clock: LaneClock) -> Self {
        Self {
            all: Vec::new(),
            index: BTreeMap::new(),
            clock,
            are_begun_in_order: false,
            told_of_order: false,
            finished: FinishedFiles::default(),
            finished_fates: Fates::default(),
            frozen: None,
            fall_silent: false,
        }
    }

    /// Where a record says that they stand. `now` is the monotonic clock's.
    pub(in crate::lane) fn of_record(
        config: &Pipeline,
        record: &ChainRecord,
        now: Duration,
    ) -> Self {
        let bound =
            i64::try_from(config.event_time.max_out_of_orderness.as_micros()).unwrap_or(i64::MAX);
        let micros = |ahead: Duration| i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX);
        let lane_clock = LaneClock::new(bound, config.event_time.idle_after, record.watermark)
            .with_max_ahead(config.event_time.max_ahead.map(micros))
            .with_end(!config.source.is_watched());
        let mut partitions = Self::new(lane_clock);
        if matches!(&config.source, SourceConfig::Files(files) if files.order == FileOrder::Parallel)
        {
            partitions = partitions.begun_in_order();
        }
        if let Some(finished) = &record.source.finished {
            // It was looked at when the source was told.
            partitions.restore_finished(
                FinishedFiles::thaw(finished).unwrap_or_default(),
                finished.fates,
            );
        }
        for state in &record.source.partitions {
            partitions.restore(state, now);
        }
        partitions
    }

    /// Adds what the chain knows of files that are finished.
    pub(in crate::lane) fn restore_finished(&mut self, finished: FinishedFiles, fates: Fates) {
        self.clock.set_retired();
        (self.finished, self.finished_fates) = (finished, fates);
    }

    /// Takes out the files that were read to their end: all that a record must hold of them is their names. Between two
    /// turns only, because the others move up.
    pub(in crate::lane) fn retire_finished(&mut self) {
        let keep: Vec<bool> = self.clock.partitions().iter().map(|clock| !clock.ended).collect();
        if keep.iter().all(|keep| *keep) {
            return;
        }
        self.clock.retire(&keep);
        let all = std::mem::take(&mut self.all);
        self.index.clear();
        for (partition, keep) in all.into_iter().zip(keep) {
            if keep {
                self.index.insert(partition.partition.clone(), self.all.len());
                self.all.push(partition);
            } else {
                self.finished.insert(partition.partition.stream);
                self.finished_fates = self.finished_fates.plus(partition.fates);
            }
        }
        self.frozen = None;
    }

    /// The files that were taken out, as the chain keeps them.
    pub(in crate::lane) fn finished(&mut self) -> Option<FinishedRecord> {
        if self.frozen.is_none() {
            self.frozen = self.finished.freeze(self.finished_fates);
        }
        self.frozen.clone()
    }

    /// Adds what the chain knows of a partition.
    pub(in crate::lane) fn restore(&mut self, state: &PartitionState, now: Duration) {
        let index = self.add(&state.partition, state.max_event_time, now);
        self.all[index].position = state.position.clone();
        self.all[index].fates = state.fates;
        self.all[index].told = state.fates;
        self.all[index].doubted = state.doubted;
    }

    fn add(&mut self, partition: &Partition, max: Option<EventTime>, now: Duration) -> usize {
        let index = self.all.len();
        self.clock.add_partition(max, now);
        self.index.insert(partition.clone(), index);
        self.all.push(LanePartition {
            partition: partition.clone(),
            position: Position::at(NextOffset::START),
            fates: Fates::default(),
            told: Fates::default(),
            end_offset: None,
            doubted: None,
            jumps: 0,
        });
        index
    }

    /// The index of a partition; a new one if it was not known.
    pub(in crate::lane) fn index(&mut self, partition: &Partition, now: Duration) -> usize {
        match self.index.get(partition) {
            Some(index) => *index,
            None => self.add(partition, None, now),
        }
    }

    /// Takes note of what the source knows of its partitions. True if a position has moved over what is no record, or
    /// knows another end.
    pub(in crate::lane) fn progress(
        &mut self,
        progress: &[PartitionProgress],
        now: Duration,
    ) -> bool {
        let mut moved = false;
        self.fall_silent = false;
        for one in progress {
            if one.ended && self.was_retired(&one.partition) {
                continue;
            }
            let index = self.index(&one.partition, now);
            let partition = &mut self.all[index];
            partition.end_offset = one.end_offset;
            let at = (partition.position.next_offset, partition.position.end_offset);
            if let Some(read_to) = &one.read_to
                && read_to.next_offset >= at.0
                && (read_to.next_offset, read_to.end_offset) != at
            {
                partition.position = read_to.clone();
                moved = true;
            }
            partition.position.ended = one.ended;
            let empty_at = one.caught_up.then(|| one.looked_at.unwrap_or(now));
            self.clock.progress(index, empty_at, one.ended, now);
            let is_silent = one.caught_up && one.looked_at.is_none() && !one.ended;
            self.fall_silent |= is_silent && !self.clock.partitions()[index].idle;
        }
        moved
    }

    /// Whether it is a file that was taken out. Its source names the last that have ended until others come.
    fn was_retired(&self, partition: &Partition) -> bool {
        !self.index.contains_key(partition) && self.finished.contains(&partition.stream)
    }

    /// Whether a partition falls idle if polls go on to see it empty.
    pub(in crate::lane) fn fall_silent(&self) -> bool {
        self.fall_silent
    }

    /// A position was lost and is another one now, further on or further back.
    pub(in crate::lane) fn jumped(&mut self, jump: &Jump, now: Duration) {
        let index = self.index(&jump.partition, now);
        let partition = &mut self.all[index];
        let end_offset = partition.position.end_offset;
        partition.position = Position { end_offset, ..Position::at(NextOffset::at(jump.to)) };
        partition.jumps += 1;
    }

    /// Everything before `next` was processed.
    pub(in crate::lane) fn processed(&mut self, index: usize, next: &Position) {
        let partition = &mut self.all[index];
        assert!(
            next.next_offset >= partition.position.next_offset,
            "{} went back from {} to {}",
            partition.partition,
            partition.position.next_offset,
            next.next_offset
        );
        partition.position = next.clone();
    }

    /// Counts the fates of records; answers with the counts.
    pub(in crate::lane) fn count(&mut self, index: usize, fates: &[Fate]) -> Fates {
        // One pass for each fate, sixteen records at a time, is quicker than one that asks each record for its own.
        let of = |fate: Fate| fates.iter().filter(|it| **it == fate).count() as u64;
        let counts = Fates {
            read: fates.len() as u64,
            accepted: of(Fate::Accepted),
            filtered: of(Fate::Filtered),
            late: of(Fate::Late),
            dead_lettered: of(Fate::DeadLettered),
        };
        self.all[index].fates = self.all[index].fates.plus(counts);
        counts
    }

    /// The first records of a partition have come. Warns if it is a file that the lane's watermark did not wait for.
    pub(in crate::lane) fn look_at_first(&mut self, index: usize) {
        let Some(max) = self.clock.partitions()[index].max_event_time else { return };
        let (begins, watermark) = (self.clock.own(index), self.clock.watermark());
        if self.are_begun_in_order && begins < watermark && !self.told_of_order {
            self.told_of_order = true;
            tracing::warn!(
                file = &*self.all[index].partition.stream,
                "its first rows end at {max}, behind the watermark {watermark}, so that they may be late: names of files do \
                 not sort by time; set `source.files.order = \"unordered\"`"
            );
        }
    }

    /// Partitions are files that are begun in the order of their names.
    #[must_use]
    pub(in crate::lane) fn begun_in_order(self) -> Self {
        Self { are_begun_in_order: true, ..self }
    }

    /// Tells the metrics what became of records since they were last told.
    pub(in crate::lane) fn tell(&mut self, metrics: &PartitionFates) {
        for partition in &mut self.all {
            if partition.fates != partition.told {
                metrics.add(&partition.partition, &partition.fates.since(partition.told));
                partition.told = partition.fates;
            }
        }
    }

    /// All partitions together.
    pub(in crate::lane) fn total(&self) -> Fates {
        let live = self.all.iter();
        live.fold(self.finished_fates, |total, partition| total.plus(partition.fates))
    }

    /// What the next row of a partition is judged by.
    pub(in crate::lane) fn known(&self, index: usize) -> Known {
        let max = self.clock.partitions()[index].max_event_time;
        Known { max, doubted: self.all[index].doubted }
    }

    /// Its last row has jumped to this time, or has not.
    pub(in crate::lane) fn doubt(&mut self, index: usize, doubted: Option<EventTime>) {
        self.all[index].doubted = doubted;
    }

    /// The clocks.
    pub(in crate::lane) fn clock(&self) -> &LaneClock {
        &self.clock
    }

    /// The clocks, to observe and advance.
    pub(in crate::lane) fn clock_mut(&mut self) -> &mut LaneClock {
        &mut self.clock
    }

    /// Those that wait for the others.
    pub(in crate::lane) fn paused(&self) -> BTreeSet<Partition> {
        let clocks = self.clock.partitions().iter();
        let paused = self.all.iter().zip(clocks).filter(|(_, clock)| clock.paused);
        paused.map(|(partition, _)| partition.partition.clone()).collect()
    }

    /// As the status shows them, in the order they were found.
    pub(in crate::lane) fn views(&self) -> Vec<PartitionView> {
        let clock = &self.clock;
        let waits_for = clock.waits_for();
        let view = |(index, partition): (usize, &LanePartition)| {
            let next_offset = partition.position.next_offset.get();
            PartitionView {
                stream: Arc::clone(&partition.partition.stream),
                partition: partition.partition.number,
                next_offset,
                // Reading may have passed the end that was seen last.
                end_offset: partition.end_offset.map(|end| end.max(next_offset)),
                lag: partition.end_offset.map(|end| end.saturating_sub(next_offset).max(0)),
                watermark: clock.own(index),
                max_event_time: clock.partitions()[index].max_event_time,
                idle: clock.partitions()[index].idle,
                holds_watermark: waits_for == Some(index),
                paused: clock.partitions()[index].paused,
                jumps: partition.jumps,
                fates: partition.fates,
            }
        };
        self.iter().map(view).collect()
    }

    /// With their clocks, in the order they were found.
    pub(in crate::lane) fn iter(&self) -> impl Iterator<Item = (usize, &LanePartition)> {
        self.all.iter().enumerate()
    }

    /// As the chain keeps them, ascending. Every record has exactly one fate, or we stop here and not in a table.
    pub(in crate::lane) fn states(&self) -> Vec<PartitionState> {
        let state = |index: &usize| {
            let partition = &self.all[*index];
            let fates = partition.fates;
            let fated = fates.accepted + fates.filtered + fates.late + fates.dead_lettered;
            assert_eq!(
                fates.read, fated,
                "records of {} read and records with a fate",
                partition.partition
            );
            PartitionState {
                partition: partition.partition.clone(),
                position: partition.position.clone(),
                max_event_time: self.clock.partitions()[*index].max_event_time,
                doubted: partition.doubted,
                fates,
            }
        };
        self.index.values().map(state).collect()
    }

    /// Whether there are partitions and all have ended.
    pub(in crate::lane) fn all_ended(&self) -> bool {
        self.clock.all_ended()
    }
}
