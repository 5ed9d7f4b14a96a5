//! What the rows of one call do to sessions, written down row by row and then carried out in few calls of the plugin.
//!
//! ```text
//!  rows of a key   a  b  c   d            e
//!  nodes           1  1  2   1 + 2 → 3    3
//!  round           0  0  0   1            1
//! ```
//!
//! A session that rows touch is a node. When a row closes the gap between two sessions, their nodes are merged into a
//! third, and what follows is added to that one: in the next round, because the rows before must have been added to the
//! first two. All keys go through a round together. So the plugin sees exactly the updates and merges that it would see
//! if the rows came one by one, and results do not depend on how they are cut into batches.

use sluicegate_model::refusal::GroupRefusal;
use sluicegate_model::time::EventTime;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

use super::merged::{Merge, Pairs, RefusedMerge};
use super::session::Session;

/// The rows of one call. Reused from call to call.
#[derive(Debug, Default)]
pub struct SessionCall {
    /// For each row its node.
    rows: Vec<u32>,
    nodes: Vec<Node>,
    rounds: Vec<Round>,
}

#[derive(Debug, Default)]
struct Round {
    /// Nodes that are merged from others, each behind those.
    merges: Vec<u32>,
    /// Rows, ascending.
    rows: Vec<u32>,
    /// Nodes that have rows, by their `local`.
    nodes: Vec<u32>,
}

/// A session during a call.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) key: u32,
    pub(super) state: Vec<u8>,
    pub(super) end: EventTime,
    /// What its session says that the accumulator costs.
    pub(super) bytes_before: usize,
    /// Rows accumulated; those of earlier calls count as one.
    pub(super) rows: u64,
    /// Its accumulator is another than before.
    pub(super) has_changed: bool,
    /// It is part of another node now.
    pub(super) is_merged: bool,
    /// The round in which rows are added to it.
    round: u32,
    /// The nodes that it is made of, with the bounds of their sessions.
    parts: Option<[(u32, WindowBounds); 2]>,
    /// Index among the nodes of its round that have rows.
    local: u32,
    is_pending: bool,
}

impl Node {
    /// The first round in which it is as it will be.
    fn round_after(&self) -> u32 {
        self.round + u32::from(self.local != Self::NOT_YET)
    }
}

impl SessionCall {
    /// The node of a session.
    fn node_of(&mut self, key: u32, session: &mut Session) -> u32 {
        if session.node == Session::UNTOUCHED {
            session.node = self.next();
            let state = std::mem::take(&mut session.state).into_vec();
            let node = Node {
                bytes_before: state.len().next_multiple_of(16),
                state,
                rows: session.has_rows.into(),
                ..Node::new(key)
            };
            self.nodes.push(node);
        }
        session.node
    }

    fn next(&self) -> u32 {
        u32::try_from(self.nodes.len()).expect("at most two nodes a row")
    }

    /// Adds the next row to a session.
    pub(super) fn add_row(&mut self, key: u32, session: &mut Session) {
        let number = self.node_of(key, session);
        let Self { rows, nodes, rounds } = self;
        let node = &mut nodes[number as usize];
        let round = round(rounds, node.round);
        if node.local == Node::NOT_YET {
            node.local = round.nodes.len() as u32;
            round.nodes.push(number);
        }
        node.end = session.bounds.end;
        node.rows = node.rows.saturating_add(1);
        round.rows.push(rows.len() as u32);
        rows.push(number);
    }

    /// One node of several sessions, from left to right.
    pub(super) fn merge(&mut self, key: u32, sessions: &mut [Session]) -> u32 {
        let (first, others) = sessions.split_first_mut().expect("there are several");
        let (mut left, mut bounds) = (self.node_of(key, first), first.bounds);
        for other in others {
            let right = self.node_of(key, other);
            let parts = [(left, bounds), (right, other.bounds)];
            let [before, after] = parts.map(|(part, _)| self.nodes[part as usize].round_after());
            for (part, _) in parts {
                self.nodes[part as usize].is_merged = true;
            }
            left = self.next();
            let node = Node { round: before.max(after), parts: Some(parts), ..Node::new(key) };
            round(&mut self.rounds, node.round).merges.push(left);
            self.nodes.push(node);
            bounds.start = bounds.start.min(other.bounds.start);
            bounds.end = bounds.end.max(other.bounds.end);
        }
        left
    }

    /// Rounds that it takes to carry out the call.
    pub fn rounds(&self) -> u32 {
        self.rounds.len() as u32
    }

    /// The first part of a round: merges what has to be one before its rows are added. What could not be merged is given
    /// to `lost`, both parts, with the place of their key; the node goes on without them.
    pub fn merge_round(
        &mut self,
        round: u32,
        merge: &mut Merge<'_>,
        mut lost: impl FnMut(u32, WindowBounds, Vec<u8>, &GroupRefusal),
    ) {
        let merges = std::mem::take(&mut self.rounds[round as usize].merges);
        let mut pairs = Pairs::default();
        for number in merges {
            let parts = self.nodes[number as usize].parts.expect("merged nodes have parts");
            let [left, right] = parts.map(|(part, _)| part as usize);
            if self.nodes[left].is_pending || self.nodes[right].is_pending {
                self.settle_pairs(&mut pairs, merge, &mut lost);
            }
            if self.nodes[right].rows == 0 {
                self.take_over(number, left);
            } else if self.nodes[left].rows == 0 {
                self.take_over(number, right);
            } else {
                pairs.push(number, &self.nodes[left].state, &self.nodes[right].state);
                self.nodes[number as usize].is_pending = true;
            }
        }
        self.settle_pairs(&mut pairs, merge, &mut lost);
    }

    /// Only this part has rows.
    fn take_over(&mut self, number: u32, part: usize) {
        let (rows, state) = (self.nodes[part].rows, std::mem::take(&mut self.nodes[part].state));
        let node = &mut self.nodes[number as usize];
        node.rows = node.rows.saturating_add(rows);
        node.state = state;
    }

    fn settle_pairs(
        &mut self,
        pairs: &mut Pairs,
        merge: &mut Merge<'_>,
        lost: &mut impl FnMut(u32, WindowBounds, Vec<u8>, &GroupRefusal),
    ) {
        let (states, refused) = pairs.merge(merge);
        for (number, state) in pairs.ids.iter().zip(states.iter()) {
            let parts = self.nodes[*number as usize].parts.expect("merged nodes have parts");
            let [left, right] = parts.map(|(part, _)| self.nodes[part as usize].rows);
            let node = &mut self.nodes[*number as usize];
            node.is_pending = false;
            node.rows = node.rows.saturating_add(left).saturating_add(right);
            node.state = state.to_vec();
        }
        for (at, RefusedMerge { left, right, refusal }) in refused {
            let node = &mut self.nodes[pairs.ids[at] as usize];
            let parts = node.parts.expect("merged nodes have parts");
            // Its own rows stay.
            node.state.clear();
            let lost_rows = parts.map(|(part, _)| self.nodes[part as usize].rows);
            let node = &mut self.nodes[pairs.ids[at] as usize];
            node.rows = node.rows.saturating_sub(lost_rows[0].saturating_add(lost_rows[1]));
            let [(_, left_bounds), (_, right_bounds)] = parts;
            lost(node.key, left_bounds, left, &refusal);
            lost(node.key, right_bounds, right, &refusal);
        }
        pairs.clear();
    }

    /// The second part of a round: the rows that are added now, and the accumulators to which they are added.
    pub fn rows_of(&self, round: u32) -> RoundRows<'_> {
        let round = &self.rounds[round as usize];
        let node = |row: &u32| &self.nodes[self.rows[*row as usize] as usize];
        RoundRows {
            rows: &round.rows,
            groups: round.rows.iter().map(|row| node(row).local).collect(),
            states: round.nodes.iter().map(|node| &*self.nodes[*node as usize].state).collect(),
        }
    }

    /// Takes the accumulators after the plugin's call, and takes back the rows that were refused (indexes among the rows
    /// of the round).
    pub fn put(&mut self, round: u32, states: &Varlen, refused: impl Iterator<Item = u32>) {
        let Self { rows, nodes, rounds } = self;
        let round = &rounds[round as usize];
        assert_eq!(states.len(), round.nodes.len(), "the runner checked how many came back");
        for (number, state) in round.nodes.iter().zip(states.iter()) {
            let node = &mut nodes[*number as usize];
            node.has_changed |= node.state != state;
            node.state.clear();
            node.state.extend_from_slice(state);
        }
        for row in refused {
            let row = round.rows[row as usize];
            let node = &mut nodes[rows[row as usize] as usize];
            node.rows = node.rows.saturating_sub(1);
        }
    }

    /// Forgets the call: its nodes, in order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Node> {
        self.rows.clear();
        self.rounds.clear();
        self.nodes.drain(..)
    }
}

/// Rows that are added together.
pub struct RoundRows<'c> {
    /// Indexes among the rows of the call, ascending.
    pub rows: &'c [u32],
    /// Of each row its index among the accumulators.
    pub groups: Vec<u32>,
    /// Accumulators before these rows; `groups` points into them.
    pub states: Varlen,
}

fn round(rounds: &mut Vec<Round>, number: u32) -> &mut Round {
    while rounds.len() <= number as usize {
        rounds.push(Round::default());
    }
    &mut rounds[number as usize]
}

impl Node {
    const NOT_YET: u32 = u32::MAX;

    fn new(key: u32) -> Self {
        Self {
            key,
            state: Vec::new(),
            end: EventTime::MIN,
            bytes_before: 0,
            rows: 0,
            has_changed: false,
            is_merged: false,
            round: 0,
            parts: None,
            local: Self::NOT_YET,
            is_pending: false,
        }
    }
}
