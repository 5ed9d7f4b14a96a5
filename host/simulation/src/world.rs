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
use super::rival::{self, CHAINS, Reading};
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
    refused: usize,
}

/// Where an instance runs, one life after the other.
struct Place {
    life: Option<Life>,
    /// Which of [`CHAINS`] its instances run.
    chain: usize,
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
        let place = |chain, begins| Place { life: None, chain, begins, wakes: None };
        let plot = Plot::new(&mut random, BAD_FOR);
        let (store, faults) = (Arc::<InMemory>::default(), Arc::<Mutex<Vec<String>>>::default());
        let straight: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&store);
        let around = Surroundings {
            diary: Diary::begin(),
            topic: Arc::new(Topic::new(storage(&plot, &straight, 0), Arc::clone(&faults))),
            store,
            network: Arc::new(network),
            uploads: Uploads::default(),
            plot,
            reading: Reading::default(),
            names,
            lives: Lives::default(),
            machines: random.random_range(1..=3),
            faults,
            mutation,
        };
        let begins = (0..count).map(|number: u64| Duration::from_millis(400 * number));
        let mut places: Vec<Place> = begins.map(|begins| place(0, begins)).collect();
        let rival = rival::begins(seed, &around.plot, mutation);
        places.extend(rival.map(|begins| place(1, begins)));
        Self { seed, random, around, places, kills: 0, terms: 0, merges: 0, refused: 0 }
    }

    /// How many chains want the tables.
    fn chains(&self) -> usize {
        self.places.iter().map(|place| place.chain + 1).max().unwrap_or_default()
    }

    async fn play(mut self) -> Story {
        let straight: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(&self.around.store);
        let plot = &self.around.plot;
        let reader = |chain| {
            let storage = storage(plot, &straight, chain);
            Reader::new(Arc::clone(&self.around.store), storage, &plot.config)
        };
        let mut readers: Vec<Reader> = (0..self.chains()).map(reader).collect();
        if let Some(modules) = self.around.plot.kind.modules() {
            upload(&straight, modules).await;
        }
        let played = self.play_on(&mut readers).await;
        let of_tables = &readers[self.around.reading.chain().unwrap_or(0)];
        let compared = played.and_then(|()| self.compare(&readers, of_tables));
        self.end().await;
        let (rows, fault) = match compared {
            Ok(rows) => (rows, None),
            Err(fault) => (0, Some(fault)),
        };
        let (events, epochs) = (self.around.diary.events(), of_tables.epochs());
        let Self { kills, terms, merges, refused, .. } = self;
        Story { events, fault, rows, epochs, kills, terms, merges, refused }
    }

    /// Compares what tables and topic have with what they should. How many rows there are.
    fn compare(&self, readers: &[Reader], of_tables: &Reader) -> Result<usize, String> {
        let Plot { rows, messages, .. } = &self.around.plot;
        if readers.iter().filter(|reader| reader.has_read()).count() > 1 {
            return Err("two chains have records of the same input".to_owned());
        }
        let rows = of_tables.compare(rows)?;
        self.around.topic.compare(messages)?;
        Ok(rows)
    }

    async fn play_on(&mut self, readers: &mut [Reader]) -> Result<(), String> {
        loop {
            let now = self.around.diary.now();
            let is_bad = now < BAD_FOR;
            self.around.network.is_bad.store(is_bad, Ordering::Relaxed);
            if self.all_have_ended(now)? {
                return self.look_at_all(readers).await;
            }
            if is_bad {
                self.something_happens(now)
            } else {
                self.all_is_well()
            }
            self.judge()?;
            self.look(readers).await?;
            if now > BAD_FOR + WELL_AFTER {
                let ended = readers.iter().any(Reader::has_ended);
                return Err(format!(
                    "nothing goes wrong any more, and it does not end; the chain has ended: {ended}"
                ));
            }
            let pause = Duration::from_millis(self.random.random_range(50..500));
            tokio::time::sleep(pause).await;
        }
    }

    /// When all have ended.
    async fn look_at_all(&self, readers: &mut [Reader]) -> Result<(), String> {
        self.look(readers).await?;
        for reader in readers {
            reader.look_back().await?;
            if !reader.look_at_logs().await? {
                return Err("all have ended, and a table's log lacks an epoch".to_owned());
            }
        }
        Ok(())
    }

    async fn look(&self, readers: &mut [Reader]) -> Result<(), String> {
        for (chain, reader) in readers.iter_mut().enumerate() {
            if self.around.reading.is_of_another(chain) {
                reader.leaves_logs();
            }
            reader.look().await?;
        }
        Ok(())
    }

    /// Begins the lives that are due. Whether every place has ended for good.
    fn all_have_ended(&mut self, now: Duration) -> Result<bool, String> {
        let (mut have_ended, has_rival) = (true, self.chains() > 1);
        for number in 0..self.places.len() {
            let place = &mut self.places[number];
            let Some(life) = &mut place.life else {
                have_ended = false;
                if now >= place.begins {
                    let begun = Life::begin(number, place.chain, &self.around, &mut self.random);
                    place.life = Some(begun?);
                }
                continue;
            };
            let is_refused = has_rival && life.ended().is_some_and(is_refused);
            if life.instance.is_dead() {
                have_ended = false;
                self.kills += 1;
                self.rests(number, now);
            } else if life.ended().is_none() {
                have_ended = false;
            } else if is_refused && now < BAD_FOR {
                have_ended = false;
                self.note_refusal(number)?;
                self.rests(number, now);
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

    /// A life that ended by itself has finished, or another chain has the tables.
    fn have_finished(&mut self) -> Result<(), String> {
        let has_rival = self.chains() > 1;
        for number in 0..self.places.len() {
            let Some(mut life) = self.places[number].life.take() else { continue };
            self.merges += life.merges();
            let name = life.instance.name.clone();
            match life.ended() {
                Some(Ok(Ended::Well(end))) => {
                    self.around.diary.note(&name, format!("ends: {end:?}"), "")
                }
                Some(ended) if has_rival && is_refused(ended) => self.note_refusal(number)?,
                Some(Ok(Ended::Halted(why))) => return Err(format!("{name} halts: {why}")),
                Some(Err(panicked)) => return Err(panicked.clone()),
                None => {}
            }
        }
        Ok(())
    }

    /// A host was refused the tables: they are another chain's, whose hosts never are.
    fn note_refusal(&mut self, number: usize) -> Result<(), String> {
        self.refused += 1;
        let chain = self.places[number].chain;
        self.around.diary.note(
            &format!("host-{}", number + 1),
            "is refused: another chain has the tables",
            CHAINS[chain],
        );
        match self.around.reading.chain() == Some(chain) {
            true => {
                Err(format!("the chain in `{}` reads, and is refused its tables", CHAINS[chain]))
            }
            false => Ok(()),
        }
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

    /// At most one believes to lead a chain, and only who leads reads.
    fn judge(&self) -> Result<(), String> {
        let leads = |place: &&Place| {
            let living = place.life.as_ref().filter(|life| !life.instance.is_dead());
            living.is_some_and(|life| life.lead.standing() == Standing::Leads)
        };
        for chain in 0..self.chains() {
            let leaders = self.places.iter().filter(|place| place.chain == chain).filter(leads);
            let leaders = leaders.count();
            if leaders > 1 {
                return Err(format!("{leaders} instances believe to lead"));
            }
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

/// Whether a life has ended because another chain has the tables.
fn is_refused(ended: &Result<Ended, String>) -> bool {
    matches!(ended, Ok(Ended::Halted(why)) if rival::is_refused(why))
}

/// Somebody has pushed the modules before.
async fn upload(store: &Arc<dyn ObjectStore>, names: [&'static str; 2]) {
    let modules = ModuleStore::new(location(store, "modules"));
    for name in names {
        let put = modules.put(name, name.as_bytes().into()).await;
        put.expect("nothing goes wrong between a store in memory and us");
    }
}
