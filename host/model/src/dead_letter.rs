//! The kinds of dead letters: one list, from which the column of the table, the label of the metric, the words of the
//! status and the page of the documentation are made.

use std::fmt;

use super::refusal::RefusalKind;

/// Why something is a dead letter, in one word. In the order of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeadLetterKind {
    /// The plugin's answer for it broke the contract.
    Answer,
    /// The plugin failed so often that the guilty were no longer sought.
    Breaker,
    /// The plugin took too long for it, twice.
    Deadline,
    /// The value is no record of the schema.
    Decode,
    /// The aggregate could not evaluate a group.
    Evaluate,
    /// Its event time is missing or absurd.
    EventTime,
    /// It makes the host panic.
    HostPanic,
    /// The aggregate could not merge two accumulators of a group.
    Merge,
    /// The plugin gave a reason for not taking the row.
    Rejected,
    /// The keyed plugin failed on a timer.
    Timer,
    /// A record makes too much for a turn, or a message is too large for its topic.
    TooLarge,
    /// The plugin trapped on it.
    Trap,
}

impl DeadLetterKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::Decode,
        Self::EventTime,
        Self::Rejected,
        Self::Trap,
        Self::Deadline,
        Self::Answer,
        Self::Breaker,
        Self::Merge,
        Self::Evaluate,
        Self::Timer,
        Self::TooLarge,
        Self::HostPanic,
    ];

    /// As the table, the metric and the status have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::EventTime => "event_time",
            Self::Rejected => "rejected",
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Answer => "answer",
            Self::Breaker => "breaker",
            Self::Merge => "merge",
            Self::Evaluate => "evaluate",
            Self::Timer => "timer",
            Self::TooLarge => "too_large",
            Self::HostPanic => "host_panic",
        }
    }

    /// Whether the reason is what the sandbox said of a plugin that failed.
    pub fn is_of_the_sandbox(self) -> bool {
        matches!(self, Self::Trap | Self::Deadline | Self::Answer | Self::Breaker)
    }
}

impl From<RefusalKind> for DeadLetterKind {
    fn from(refusal: RefusalKind) -> Self {
        match refusal {
            RefusalKind::Rejected => Self::Rejected,
            RefusalKind::Trap => Self::Trap,
            RefusalKind::Deadline => Self::Deadline,
            RefusalKind::Answer => Self::Answer,
            RefusalKind::Breaker => Self::Breaker,
        }
    }
}

impl fmt::Display for DeadLetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::DeadLetterKind;

    /// The row of a kind in the documentation.
    struct Meaning {
        /// What happened.
        what: &'static str,
        /// What to do about it.
        fix: &'static str,
    }

    fn meaning(kind: DeadLetterKind) -> Meaning {
        let (what, fix) = match kind {
            DeadLetterKind::Decode => (
                "the value does not have the columns of `[schema]`",
                "mend the sender or `[schema]`",
            ),
            DeadLetterKind::EventTime => (
                "the time is missing or absurd ([rule 6](design/time.md#rule-6))",
                "mend the sender's clock or the unit",
            ),
            DeadLetterKind::Rejected => ("the plugin judged the row wrong", "read its reason"),
            DeadLetterKind::Trap => {
                ("the plugin panicked or trapped", "mend the plugin, send the record again")
            }
            DeadLetterKind::Deadline => ("the call took too much CPU time", "the same"),
            DeadLetterKind::Answer => ("the plugin's answer breaks the contract", "the same"),
            DeadLetterKind::Breaker => (
                "the plugin failed so often that guilty rows were no longer sought; most of these are innocent",
                "the same",
            ),
            DeadLetterKind::Merge => (
                "an aggregate failed to merge a group; `value` holds one of its accumulators",
                "the same",
            ),
            DeadLetterKind::Evaluate => {
                ("an aggregate failed on a group; `value` holds its accumulator", "the same")
            }
            DeadLetterKind::Timer => (
                "a process plugin failed on a timer; `value` holds the state of the key",
                "the same",
            ),
            DeadLetterKind::TooLarge => (
                "a record makes too much for a turn, or a message is too large for its topic",
                "read its reason",
            ),
            DeadLetterKind::HostPanic => (
                "the record makes Sluicegate itself panic, or a group does when it fires",
                "report it",
            ),
        };
        Meaning { what, fix }
    }

    #[test]
    fn each_kind_has_its_row_in_the_documentation() {
        let page = include_str!("../../../docs/tables.md");
        let (_, table) = page.split_once("| kind | what happened | do |\n|---|---|---|\n").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let row = |kind: DeadLetterKind| {
            let Meaning { what, fix } = meaning(kind);
            format!("| `{kind}` | {what} | {fix} |")
        };
        assert_eq!(table, DeadLetterKind::ALL.map(row).join("\n"));
    }

    #[test]
    fn all_are_listed_once_and_sort_as_their_words() {
        let mut words = DeadLetterKind::ALL.map(DeadLetterKind::as_str);
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] < pair[1]), "{words:?}");
        let mut kinds = DeadLetterKind::ALL;
        kinds.sort_unstable();
        assert_eq!(kinds.map(DeadLetterKind::as_str), words);
    }
}
