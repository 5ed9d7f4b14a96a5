//! What checkpoints store piece by piece stands for the state, whatever is a base, a delta or merged, and whoever goes on.

use super::shadow::{Kept, given};
use super::*;
use crate::lane::intake::Run;
use crate::lane::logic::{Extent, Freezing};
use sluicegate_chain::FrozenState;
use sluicegate_state::{Merging, keyed, window};

/// What happens at a barrier.
#[derive(Clone, Copy, Debug)]
enum Save {
    Nothing,
    Changes,
    Base,
    /// Those of the stored pieces that are there by now begin to be merged into a base, beside the lane …
    BeginMerging,
    /// … which takes their place, below the deltas that came since.
    EndMerging,
    /// So many workers go on from the pieces.
    Restart(usize),
}

fn save() -> impl Strategy<Value = Save> {
    prop_oneof![
        4 => Just(Save::Nothing),
        6 => Just(Save::Changes),
        1 => Just(Save::Base),
        2 => Just(Save::BeginMerging),
        2 => Just(Save::EndMerging),
        2 => (1..4_usize).prop_map(Save::Restart),
    ]
}

fn piece(state: &FrozenState) -> Vec<u8> {
    [std::slice::from_ref(&state.header), &state.sections].concat().concat()
}

fn is_delta(piece: &[u8]) -> bool {
    match keyed::snapshot::holds_keys(piece) {
        true => piece[4] == 2,
        false => window::snapshot::read_header(piece).unwrap().delta.is_some(),
    }
}

/// The header of a whole state and its rows as text, sorted.
fn all(logic: &mut Logic, pool: &Pool, watermark: Watermark) -> Option<(Vec<u8>, Vec<String>)> {
    let whole = Freezing { generation: 1, watermark, extent: Extent::Whole };
    let state = logic.encode(pool, whole)?;
    let (piece, mut rows) = (piece(&state), Vec::new());
    let mut show = |row: &dyn std::fmt::Debug| {
        rows.push(format!("{row:?}"));
        Ok(())
    };
    if keyed::snapshot::holds_keys(&piece) {
        keyed::snapshot::decode(&piece, |row| show(&row)).unwrap();
    } else {
        window::snapshot::decode(&piece, |row| show(&row)).unwrap();
    }
    rows.sort();
    Some((state.header, rows))
}

/// A lane's logic, and what the store has of it.
struct Saved<'w> {
    plan: &'w Plan,
    logic: Logic,
    pieces: Vec<Vec<u8>>,
    /// How many are being merged. None: they are a base without a delta, or others have taken their place.
    merging: Option<usize>,
    deltas: usize,
}

impl Saved<'_> {
    fn restored(&self, pool: &Pool, watermark: Watermark) -> Logic {
        let mut logic = Logic::new(self.plan, pool);
        logic.begin_at(watermark);
        if !self.pieces.is_empty() {
            logic.restore(pool, watermark, &self.pieces).unwrap();
        }
        logic
    }

    fn freeze(&mut self, pool: &Pool, watermark: Watermark, whole: bool) {
        match self.logic.freeze(pool, 1, watermark, whole) {
            None => {
                self.pieces.clear();
                self.merging = None;
            }
            Some(state) if state.is_delta && state.sections.is_empty() => {}
            Some(state) => {
                if !state.is_delta {
                    self.pieces.clear();
                    self.merging = None;
                }
                self.deltas += usize::from(state.is_delta);
                self.pieces.push(piece(&state));
            }
        }
    }

    /// The base may be of several pieces from then on.
    fn end_merging(&mut self) {
        let Some(merging) = self.merging.take() else { return };
        let newer = self.pieces.split_off(merging);
        let bases = self.pieces.iter().take_while(|piece| !is_delta(piece)).count();
        let deltas = self.pieces.split_off(bases);
        let (merging, sections) = Merging::of(&deltas).unwrap();
        let piece = |sections: Vec<Vec<u8>>| [merging.header(), sections.concat()].concat();
        let merged = self.pieces.iter().map(|base| piece(merging.base(base).unwrap()));
        self.pieces = std::iter::once(piece(sections)).chain(merged).chain(newer).collect();
    }

    /// The workers that go on.
    fn save(&mut self, pool: Pool, watermark: Watermark, what: Save) -> Pool {
        match what {
            Save::Nothing => return pool,
            Save::Base => self.freeze(&pool, watermark, true),
            Save::Changes | Save::Restart(_) | Save::BeginMerging | Save::EndMerging => {
                self.freeze(&pool, watermark, false);
            }
        }
        match what {
            Save::BeginMerging => self.merging = Some(self.pieces.len()).filter(|len| *len > 1),
            Save::EndMerging => self.end_merging(),
            _ => {}
        }
        let others = pool.with_workers(3);
        let mut other = self.restored(&others, watermark);
        assert_eq!(
            all(&mut other, &others, watermark),
            all(&mut self.logic, &pool, watermark),
            "at {watermark:?}, {what:?}, {} pieces",
            self.pieces.len()
        );
        match what {
            Save::Restart(workers) => {
                let pool = pool.with_workers(workers);
                self.logic = self.restored(&pool, watermark);
                pool
            }
            _ => pool,
        }
    }
}

/// Runs a lane over its logs, and saves it as told, also between two runs of a firing. How many deltas there were.
fn run(world: &World, logs: &Logs, step: Option<usize>, saves: &[Save]) -> usize {
    let (lane, _commands) = world.open(logs, 2, 1);
    let Lane { mut intake, logic, mut pool, desk, .. } = lane;
    let plan = Plan::new(&world.config, &world.modules(None)).unwrap();
    let mut saved = Saved { plan: &plan, logic, pieces: Vec::new(), merging: None, deltas: 0 };
    let mut saves = saves.iter().copied().cycle();
    while !intake.is_over() {
        let blocks = intake.poll(Duration::ZERO, Duration::ZERO).unwrap();
        let mut left = intake.cut(blocks);
        let most = left.cut_at(&desk.outside.trial);
        let Run { mut prepared, judges } =
            intake.take(&pool, &desk.outside.trial, &mut left, most).unwrap();
        let turn = Turn { chunks: &prepared, judges: &judges };
        let with = given(&pool, &intake, &desk);
        let mut judged = saved.logic.update(&with, &turn, &mut Kept::default()).unwrap();
        for (prepared, judged) in prepared.iter_mut().zip(&mut judged) {
            judged.settle(prepared, saved.logic.stage());
        }
        intake.settle(&mut left, &prepared);
        intake.leave(left);
        let (to, _) = intake.advance().unwrap();
        loop {
            saved.logic.set_step(step);
            let with = given(&pool, &intake, &desk);
            let mut effects = Kept::default();
            saved.logic.advance(&with, to, &mut effects).unwrap();
            let is_firing = saved.logic.is_firing();
            let save = match saves.next().unwrap_or(Save::Nothing) {
                // Whoever goes on begins to sort from the first group: with a restart for each step nothing would ever fire.
                Save::Restart(_) if is_firing && effects.0.is_empty() => Save::Changes,
                save => save,
            };
            pool = saved.save(pool, to, save);
            if !is_firing {
                break;
            }
        }
    }
    saved.deltas
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_windows_stand_for_all_of_them(
        kind in kind(),
        lateness in prop_oneof![Just(0), 1..25i64],
        partitions in prop::collection::vec(prop::collection::vec(event(), 0..80), 1..3),
        step in prop::option::of(1..4usize),
        saves in prop::collection::vec(save(), 1..20),
    ) {
        run(&World::with(kind, lateness, None), &logs_of(&partitions), step, &saves);
    }

    #[test]
    fn pieces_of_keys_stand_for_all_of_them(
        ttl in prop::option::of(1..25i64),
        partitions in prop::collection::vec(prop::collection::vec(super::keyed::event(), 0..80), 1..3),
        step in prop::option::of(1..4usize),
        saves in prop::collection::vec(save(), 1..20),
    ) {
        run(&super::keyed::world(ttl), &super::keyed::logs_of(&partitions), step, &saves);
    }
}

/// Many keys of which a few are touched: the usual case, of which the others may have little.
#[test]
fn a_few_changed_groups_of_many_make_deltas() {
    let kinds = [
        Kind::Sliding { size: 10_000, slide: 10_000 },
        Kind::Sliding { size: 10_000, slide: 2_000 },
        Kind::Session { gap: 5_000, max_length: 100_000 },
        Kind::Global { trigger: 1_000 },
    ];
    let event = |n: i64| Event { key: (if n < 120 { n } else { n % 3 }) as u8, at: n * 7, kind: 0 };
    let logs = logs_of(&[(0..400).map(event).collect()]);
    for kind in kinds {
        let deltas = run(&World::with(kind, 50, None), &logs, None, &[Save::Changes]);
        assert!(deltas > 20, "{kind:?}: {deltas}");
    }
}
