//! A story: its instances begin, die, stop, sleep and begin again as the seed wants it, until the input is read to its end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_engine::lead::Standing;
use sluicegate_engine::supervisor::Ended;
use sluicegate_runtime::Names;

use super::diary::Diary;
use super::life::{Life, Surroundings, location, storage};
use super::machine::Lives;
use super::parts::Uploads;
use super::plot::Plot;
use super::reader::Reader;
use super::store::Network;
use super::story::{Mutation, Story};
use super::topic::Topic;
use super::watched::{give_up, watched};

/// Things go wrong for so long.
const BAD_FOR: Duration = Duration::from_secs(12);
/// And are to be well so much later.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// A story takes less than a second of a processor: one that takes so long of the wall never ends.
const TOO_LONG: Duration = Duration::from_secs(180);

/// Plays the story of a seed. One that never ends is told of, and ends the process.
///
/// Panics if the machine has no thread to spare.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Story {
    let diary = OnceLock::new();
    watched(
        TOO_LONG,
        || give_up(seed, TOO_LONG, diary.get()),
        || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
            runtime.block_on(async {
                let world = World::new(seed, mutation);
                diary.get_or_init(|| world.around.diary.clone());
                world.play().await
            })
        },
    )
}

struct World {
    seed: u64,
    random: Pcg64Mcg,
    around: Surroundings,
    places: Vec<Place>,
    kills: usize,
    terms: u64,
    merges: u64,
}

/// Where an instance runs, one life after the other.
struct Place {
    life: Option<Life>,
    /// When the next one begins.
    begins: Duration,
    wakes: Option<Duration>,
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let bits = Mutex::new(Pcg64Mcg::seed_from_u64(random.random()));
        let names =
            Names::from_bits(move || bits.lock().unwrap_or_else(PoisonError::into_inner).random());
        let network = Network::new(random.random());
        let count = random.random_range(2..=3);
        let place = |number: u64| Place {
            life: None,
            begins: Duration::from_millis(400 * number),
            wakes: None,
        };
        let plot = Plot::new(&mut random, BAD_FOR);
        let (store, faults) = (Arc::<InMemory>::default(), Arc::<Mutex<Vec<String>>>::default());
        let straight: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&store);
        let around = Surroundings {
            diary: Diary::begin(),
            topic: Arc::new(Topic::new(storage(&plot, &straight), Arc::clone(&faults))),
            store,
            network: Arc::new(network),
            uploads: Uploads::default(),
            plot,
            names,
            lives: Lives::default(),
            machines: random.random_range(1..=3),
            faults,
            mutation,
        };
        let places = (0..count).map(place).collect();
        Self { seed, random, around, places, kills: 0, terms: 0, merges: 0 }
    }

    async fn play(mut self) -> Story {
        let straight: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&self.around.store);
        let storage = storage(&self.around.plot, &straight);
        let mut reader =
            Reader::new(Arc::clone(&self.around.store), storage, &self.around.plot.config);
        if let Some(modules) = self.around.plot.kind.modules() {
            upload(&straight, modules).await;
        }
        let played = self.play_on(&mut reader).await;
        let Plot { rows, messages, .. } = &self.around.plot;
        let compared = played.and_then(|()| reader.compare(rows)).and_then(|rows| {
            self.around.topic.compare(messages)?;
            Ok(rows)
        });
        self.end().await;
        let (rows, fault) = match compared {
            Ok(rows) => (rows, None),
            Err(fault) => (0, Some(fault)),
        };
        let (events, epochs) = (self.around.diary.events(), reader.epochs());
        let Self { kills, terms, merges, .. } = self;
        Story { events, fault, rows, epochs, kills, terms, merges }
    }

    async fn play_on(&mut self, reader: &mut Reader) -> Result<(), String> {
        loop {
            let now = self.around.diary.now();
            let is_bad = now < BAD_FOR;
            self.around.network.is_bad.store(is_bad, Ordering::Relaxed);
            if self.all_have_ended(now)? {
                reader.look().await?;
                reader.look_back().await?;
                return match reader.look_at_logs().await? {
                    true => Ok(()),
                    false => Err("all have ended, and a table's log lacks an epoch".to_owned()),
                };
            }
            if is_bad {
                self.something_happens(now)
            } else {
                self.all_is_well()
            }
            self.judge()?;
            reader.look().await?;
            if now > BAD_FOR + WELL_AFTER {
                let ended = reader.has_ended();
                return Err(format!(
                    "nothing goes wrong any more, and it does not end; the chain has ended: {ended}"
                ));
            }
            let pause = Duration::from_millis(self.random.random_range(50..500));
            tokio::time::sleep(pause).await;
        }
    }

    /// Begins the lives that are due. Whether every place has ended for good.
    fn all_have_ended(&mut self, now: Duration) -> Result<bool, String> {
        let mut have_ended = true;
        for number in 0..self.places.len() {
            let place = &mut self.places[number];
            let Some(life) = &place.life else {
                have_ended = false;
                if now >= place.begins {
                    place.life = Some(Life::begin(number, &self.around, &mut self.random)?);
                }
                continue;
            };
            if life.instance.is_dead() {
                have_ended = false;
                self.kills += 1;
                self.rests(number, now);
            } else if !life.thread.is_finished() {
                have_ended = false;
            } else if life.stop.is_asked() {
                have_ended = false;
                self.rests(number, now);
            }
        }
        if have_ended {
            self.have_finished()?;
        }
        Ok(have_ended)
    }

    /// A life that ended by itself has finished, and nothing else.
    fn have_finished(&mut self) -> Result<(), String> {
        for place in &mut self.places {
            let Some(life) = place.life.take() else { continue };
            self.merges += life.merges();
            let Life { thread, instance, .. } = life;
            match thread.join() {
                Ok(Ended::Well(end)) => {
                    self.around.diary.note(&instance.name, format!("ends: {end:?}"), "")
                }
                Ok(Ended::Halted(why)) => return Err(format!("{} halts: {why}", instance.name)),
                Err(_) => return Err(format!("{} panicked", instance.name)),
            }
        }
        Ok(())
    }

    fn rests(&mut self, number: usize, now: Duration) {
        let place = &mut self.places[number];
        if let Some(life) = place.life.take() {
            self.terms += life.lead.take_overs();
            self.merges += life.merges();
            life.instance.kill();
        }
        let rest = Duration::from_millis(self.random.random_range(50..5_000));
        (place.begins, place.wakes) = (now + rest, None);
    }

    fn something_happens(&mut self, now: Duration) {
        for place in &mut self.places {
            let Some(life) = &place.life else { continue };
            if place.wakes.is_some_and(|at| now >= at) {
                life.instance.resume();
                place.wakes = None;
            }
            match self.random.random_range(0..100) {
                0..6 => life.instance.kill_after(self.random.random_range(1..300)),
                6..7 => {
                    life.stop.ask();
                    self.around.diary.note(&life.instance.name, "is asked to stop", "");
                }
                7..11 if place.wakes.is_none() => {
                    life.instance.suspend();
                    place.wakes =
                        Some(now + Duration::from_millis(self.random.random_range(100..7_000)));
                }
                11..13 => {
                    if let Some(modules) = self.around.plot.kind.modules() {
                        life.activate(modules[self.random.random_range(0..2)]);
                    }
                }
                _ => {}
            }
        }
        let storms = self.around.network.storms.load(Ordering::Relaxed);
        if self.random.random_bool(if storms { 0.2 } else { 0.02 }) {
            self.around.network.storms.store(!storms, Ordering::Relaxed);
            self.around.diary.note(
                "world",
                if storms { "the storm is over" } else { "most requests fail" },
                "",
            );
        }
    }

    fn all_is_well(&mut self) {
        self.around.network.storms.store(false, Ordering::Relaxed);
        for place in &mut self.places {
            if let (Some(life), Some(_)) = (&place.life, place.wakes.take()) {
                life.instance.resume();
            }
        }
    }

    /// At most one believes to lead, and only who leads reads.
    fn judge(&self) -> Result<(), String> {
        let leads = |place: &&Place| {
            let living = place.life.as_ref().filter(|life| !life.instance.is_dead());
            living.is_some_and(|life| life.lead.standing() == Standing::Leads)
        };
        let leaders = self.places.iter().filter(leads).count();
        if leaders > 1 {
            return Err(format!("{leaders} instances believe to lead"));
        }
        let faults = self.around.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.first().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Nothing of it stays behind.
    async fn end(&mut self) {
        let lives: Vec<Life> =
            self.places.iter_mut().filter_map(|place| place.life.take()).collect();
        for life in &lives {
            self.terms += life.lead.take_overs();
            self.merges += life.merges();
            life.instance.kill();
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(lives);
        self.around.diary.note("world", format!("ends, seed {}", self.seed), "");
    }
}

/// Somebody has pushed the modules before.
async fn upload(store: &Arc<dyn ObjectStore>, names: [&'static str; 2]) {
    let modules = ModuleStore::new(location(store, "modules"));
    for name in names {
        let put = modules.put(name, name.as_bytes().into()).await;
        put.expect("nothing goes wrong between a store in memory and us");
    }
}
