//! What could not be processed: it is counted, told, and kept as a dead letter with all that is
//! needed to see why and to process it again, or it halts the lane, as the pipeline file says
//! (docs/design/decisions.md#d12).

use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::dead_letters::DeadLetter;
use sluicegate_connect::source::RecordBlock;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::refusal::RefusalKind;
use sluicegate_model::time::EventTime;
use sluicegate_pipeline::OnFailure;

use super::Outputs;
use super::outbox::TooLarge;
use crate::lane::LaneError;
use crate::lane::logic::{CondemnedGroup, CondemnedTimer};
use crate::lane::plan::FittedStage;
use crate::lane::rows::Condemned;

impl Outputs {
    /// Dead-letters records of a block.
    pub(in crate::lane) fn write_condemned(
        &mut self,
        block: &RecordBlock,
        condemned: &[Condemned],
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        for condemned in condemned {
            let letter = dead_letter(block, condemned);
            if condemned.kind == DeadLetterKind::Breaker {
                self.check_breaker(letter.stage, letter.reason)?;
            }
            self.write_letter(&letter, epoch)?;
        }
        Ok(())
    }

    /// Dead-letters groups that the plugin could not merge or evaluate.
    pub(in crate::lane) fn write_condemned_groups(
        &mut self,
        stage: &FittedStage,
        condemned: &[CondemnedGroup],
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        for CondemnedGroup { step, bounds, key, state, refusal } in condemned {
            let reason = format!(
                "{} ({step}: group of the window from {} to {}; `value` holds its accumulator)",
                refusal.reason, bounds.start, bounds.end,
            );
            let kind = self.kind_of_failure(&stage.id, *step, refusal.kind, &reason)?;
            let letter = DeadLetter {
                key: Some(key),
                value: Some(state),
                module: Some(stage.plugin.digest),
                at: bounds.end,
                ..DeadLetter::of(&stage.id, kind, &reason)
            };
            self.write_letter(&letter, epoch)?;
        }
        Ok(())
    }

    /// Dead-letters timers, each with the state of its key.
    pub(in crate::lane) fn write_condemned_timers(
        &mut self,
        stage: &FittedStage,
        condemned: &[CondemnedTimer],
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        for CondemnedTimer { timer, key, state, kind, reason } in condemned {
            let reason = format!(
                "{}: {reason} (timer {} of {}; `key` and `value` hold its key and the state of that)",
                DeadLetterKind::from(*kind),
                timer.id,
                timer.time,
            );
            let kind = self.kind_of_failure(&stage.id, DeadLetterKind::Timer, *kind, &reason)?;
            let letter = DeadLetter {
                key: Some(key),
                value: Some(state),
                module: Some(stage.plugin.digest),
                at: timer.time,
                ..DeadLetter::of(&stage.id, kind, &reason)
            };
            self.write_letter(&letter, epoch)?;
        }
        Ok(())
    }

    /// Dead-letters messages that no topic can take.
    pub(super) fn write_too_large(&mut self, epoch: Epoch) -> Result<(), LaneError> {
        for TooLarge { sink, key, value, bytes, bytes_max } in self.outbox.take_too_large() {
            let reason = format!(
                "a message for this sink has {bytes} bytes with its headers, its `message.max.bytes` allows {bytes_max} \
                 (`key` and `value` hold it): raise that in the sink's `properties`, and `max.message.bytes` of the topic"
            );
            let letter = DeadLetter {
                key: key.as_deref(),
                value: Some(&value),
                ..DeadLetter::of(&sink, DeadLetterKind::TooLarge, &reason)
            };
            self.write_letter(&letter, epoch)?;
        }
        Ok(())
    }

    /// The kind of a group or timer in the dead-letter table, unless it halts the lane.
    fn kind_of_failure(
        &self,
        stage: &str,
        step: DeadLetterKind,
        kind: RefusalKind,
        reason: &str,
    ) -> Result<DeadLetterKind, LaneError> {
        if kind == RefusalKind::Breaker {
            self.check_breaker(stage, reason)?;
        }
        if self.config.failures.on_group_failure == OnFailure::Halt {
            return Err(LaneError::PluginFailed {
                stage: stage.to_owned(),
                kind: step,
                reason: reason.to_owned(),
                policy: "on_group_failure",
            });
        }
        Ok(if kind == RefusalKind::Breaker { DeadLetterKind::Breaker } else { step })
    }

    fn check_breaker(&self, stage: &str, reason: &str) -> Result<(), LaneError> {
        match self.config.failures.on_breaker {
            OnFailure::DeadLetter => Ok(()),
            OnFailure::Halt => Err(LaneError::PluginFailed {
                stage: stage.to_owned(),
                kind: DeadLetterKind::Breaker,
                reason: reason.to_owned(),
                policy: "on_breaker",
            }),
        }
    }

    fn write_letter(&mut self, letter: &DeadLetter<'_>, epoch: Epoch) -> Result<(), LaneError> {
        self.metrics.dead_letters.add(letter.kind.as_str(), 1);
        self.told.note(letter);
        self.kept.letter(letter, epoch);
        Ok(self.push_dead_letter(letter)?)
    }

    /// Says in the log what was dead-lettered, once a minute for each kind.
    pub(in crate::lane) fn tell_dead_letters(&mut self) {
        let (now, kept) = (self.clock.monotonic(), self.keeps_dead_letters());
        self.told.say(&self.config.name, now, kept);
    }

    /// Says what was not said yet: the lane comes to an end, whichever.
    pub(in crate::lane) fn tell_all_dead_letters(&mut self) {
        self.told.say_all(&self.config.name, self.keeps_dead_letters());
    }
}

fn dead_letter<'a>(block: &'a RecordBlock, condemned: &'a Condemned) -> DeadLetter<'a> {
    let record = condemned.record as usize;
    let timestamp = block.timestamp(record).map(EventTime);
    DeadLetter {
        stage: &condemned.stage,
        kind: condemned.kind,
        reason: &condemned.reason,
        topic: Some(&block.partition.stream),
        partition: Some(block.partition.number),
        offset: Some(block.offsets[record]),
        record_timestamp: timestamp,
        key: block.key(record),
        value: block.value(record),
        headers: block.headers.as_ref().map(|headers| headers.of(record)),
        module: condemned.module,
        rows: condemned.rows,
        at: timestamp.unwrap_or(EventTime(0)),
    }
}
