//! The thread that finds out who leads, whenever somebody does not know.

use std::io;
use std::sync::Arc;

use super::broker::{self, pause_after};
use super::state::Shared;
use crate::addresses::{Address, addresses};
use crate::buffers::Spare;
use crate::link::{Link, LinkError};
use crate::wire::TopicId;
use crate::wire::metadata::{self, Metadata};

/// Asks until the fetcher is dropped.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let name = "kafka-leaders".to_owned();
    std::thread::Builder::new().name(name).spawn(move || run(&shared)).map(drop)
}

fn run(shared: &Arc<Shared>) {
    let (mut turn, mut in_vain) = (0, 0);
    while shared.wait_while(None, |state| !state.wants_leaders).is_some() {
        // What is missed while asking is asked for again.
        shared.lock().wants_leaders = false;
        match ask_any(shared, turn) {
            Ok(metadata) => learn(shared, &metadata),
            Err(trouble) => {
                turn += 1;
                let mut state = shared.lock();
                state.leaders_trouble = Some(trouble);
                state.wants_leaders = true;
            }
        }
        shared.tell();
        in_vain = if shared.lock().wants_leaders { in_vain + 1 } else { 0 };
        // Who is told the wrong leader comes back at once: not more than one question a pause.
        let pause = pause_after(in_vain, shared.options.pause, shared.options.pause_max);
        if shared.wait_while(Some(pause), |_| true).is_none() {
            return;
        }
    }
}

fn learn(shared: &Arc<Shared>, metadata: &Metadata) {
    let (topic, name) = (metadata.topic, &shared.options.topic);
    // Nobody knows it of brokers that tell no ids.
    let is_another = |id: &String| shared.options.topic_id.as_ref().is_some_and(|ours| ours != id);
    let trouble = match metadata.error {
        0 => topic
            .map(TopicId::text)
            .filter(|id| is_another(id))
            .map(|id| format!("topic `{name}` was made anew: its id is {id} now")),
        code => Some(format!("topic `{name}` cannot be read: Kafka's error {code}")),
    };
    if let Some(trouble) = trouble {
        let mut state = shared.lock();
        state.leaders_trouble = Some(trouble);
        state.wants_leaders = true;
        return;
    }
    for broker in shared.learn(metadata) {
        if let Err(error) = broker::start(shared, topic, broker) {
            let mut state = shared.lock();
            // It is fresh again when it is heard of next.
            state.brokers.remove(&broker);
            state.leaders_trouble = Some(format!("start a thread: {error}"));
            state.wants_leaders = true;
        }
    }
}

/// Asks one broker after the other, beginning with another one each time, until one answers.
fn ask_any(shared: &Shared, turn: usize) -> Result<Metadata, String> {
    let mut addresses: Vec<Address> = addresses(&shared.options.brokers).collect();
    for contact in shared.lock().brokers.values() {
        let address = (contact.broker.host.clone(), contact.broker.port);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let first = turn % addresses.len().max(1);
    addresses.rotate_left(first);
    let mut trouble = format!("`{}` names no broker", shared.options.brokers);
    for (host, port) in addresses {
        match ask(shared, &host, port) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => trouble = shared.lock().note_leaders(&error, &host, port),
        }
        if shared.lock().is_over {
            break;
        }
    }
    Err(trouble)
}

fn ask(shared: &Shared, host: &str, port: u16) -> Result<Metadata, LinkError> {
    let options = &shared.options;
    let spare = Spare::default();
    let (client, security) = (&options.client_id, &options.security);
    let mut link = Link::open(host, port, client, security, options.patience(), spare)?;
    let question = link.dialect().metadata;
    let answer = link.ask(question, |writer| metadata::write(writer, question, &options.topic))?;
    Ok(metadata::read(question, link.body(question, &answer)?)?)
}
