//! Explicit-state checks of a protocol: every order of steps, breadth first, until all states are seen or one is wrong.
//!
//! A check is run with all rules and once without each of them: a rule whose absence is not found out would not be known to
//! be needed, nor the search to be able to see.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;

use foldhash::fast::FixedState;

/// What a search found.
#[derive(Debug)]
pub enum Found {
    /// All states were seen, this many, and none is wrong.
    Safe(usize),
    /// The shortest story that ends in a wrong state, and what is wrong with it.
    Violation(Vec<String>, String),
}

impl Found {
    /// Panics if a state is wrong, with its story, or if fewer states were reached.
    #[track_caller]
    pub fn assert_safe(self, states_min: usize) {
        match self {
            Self::Safe(states) => {
                assert!(states >= states_min, "only {states} states were reached")
            }
            Self::Violation(story, wrong) => panic!("{wrong}:\n  {}", story.join("\n  ")),
        }
    }

    /// Panics unless a state is wrong, in words that have these among them.
    #[track_caller]
    pub fn assert_violation(self, of: &str) {
        match self {
            Self::Safe(states) => panic!("not found out in {states} states"),
            Self::Violation(_, wrong) => assert!(wrong.contains(of), "another violation: {wrong}"),
        }
    }
}

/// Takes what may happen next, with its label. Most is known already, and its label never written.
pub type Push<'a, S> = &'a mut dyn FnMut(fmt::Arguments<'_>, S);

/// A state together with what may happen next, each with its label.
pub trait State: Clone {
    /// What is kept of a state that was seen: all that tells it from others.
    type Kept: Eq + Hash;

    /// See [`State::Kept`].
    fn kept(&self) -> Self::Kept;

    /// Pushes each state that may be the next.
    fn next(&self, push: Push<'_, Self>);

    /// What is wrong with it, if anything is.
    fn wrong(&self) -> Option<String>;
}

/// Breadth first, so that a violation's story is a shortest one.
pub fn search<S: State>(start: S) -> Found {
    let mut seen: HashSet<S::Kept, FixedState> = HashSet::default();
    /// The state before, and what happened there.
    struct Step {
        from: usize,
        label: String,
    }
    let mut steps = vec![Step { from: 0, label: "start".to_owned() }];
    seen.insert(start.kept());
    let mut todo = VecDeque::from([(0, start)]);
    let mut wrong = None;
    while let Some((from, state)) = todo.pop_front() {
        state.next(&mut |label, next| {
            let index = steps.len();
            if wrong.is_some() || !seen.insert(next.kept()) {
                return;
            }
            steps.push(Step { from, label: label.to_string() });
            if let Some(text) = next.wrong() {
                wrong = Some((index, text));
            }
            todo.push_back((index, next));
        });
        if let Some((mut index, text)) = wrong {
            let mut story = Vec::new();
            while index != 0 {
                story.push(steps[index].label.clone());
                index = steps[index].from;
            }
            story.reverse();
            return Found::Violation(story, text);
        }
    }
    Found::Safe(seen.len())
}
