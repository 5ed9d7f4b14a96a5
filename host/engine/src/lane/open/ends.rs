//! What a lane is connected to: the source of its records, and the topics that its messages go to.

use std::sync::Arc;

use tokio::runtime::Handle;

use sluicegate_connect::outbox::{Courier, Deliveries, OutboxError, Publisher};
use sluicegate_connect::source::files::FilesSource;
use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{Source, SourceError};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, SourceConfig};
use sluicegate_runtime::Bell;
use sluicegate_state::watermark::look_pace;
use sluicegate_store::StoreOptions;

use crate::lane::outputs::outbox::Post;

/// Opens both ends of a lane. Asked at each opening.
pub trait Ends: Send + Sync {
    /// Where the records come from. `bell` is rung when there is something to poll.
    ///
    /// # Errors
    ///
    /// It cannot be opened; that brokers are away is found later.
    fn source(
        &self,
        config: &Pipeline,
        clock: &Clock,
        bell: &Bell,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// Reaches the topics that results go to; none if there are none. `bell` is rung when messages are delivered. Once
    /// `given_up` is true it looks no further.
    ///
    /// # Errors
    ///
    /// A topic cannot be reached.
    fn post(
        &self,
        config: &Pipeline,
        clock: &Clock,
        bell: &Bell,
        deliveries: Arc<Deliveries>,
        given_up: &dyn Fn() -> bool,
    ) -> Result<Option<Post>, OutboxError>;
}

/// Kafka, and files in a store.
pub struct RealEnds {
    /// Credentials of stores, for files as a source.
    pub stores: StoreOptions,
    /// Where files of the source are read.
    pub runtime: Handle,
    /// How much a Kafka client may fetch ahead, in bytes.
    pub ahead: u64,
}

impl Ends for RealEnds {
    fn source(
        &self,
        config: &Pipeline,
        clock: &Clock,
        bell: &Bell,
    ) -> Result<Box<dyn Source>, SourceError> {
        let (clock, bell) = (clock.clone(), bell.clone());
        Ok(match &config.source {
            SourceConfig::Kafka(kafka) => {
                let mut source =
                    KafkaSource::connect(kafka, &config.name, clock, bell, self.ahead)?;
                let time = &config.event_time;
                source.set_pace(look_pace(time.max_out_of_orderness, time.idle_after));
                Box::new(source.with_headers(config.reads_headers()))
            }
            SourceConfig::Files(files) => {
                let runtime = self.runtime.clone();
                Box::new(FilesSource::open(files, &self.stores, runtime, clock, bell)?)
            }
        })
    }

    fn post(
        &self,
        config: &Pipeline,
        clock: &Clock,
        bell: &Bell,
        deliveries: Arc<Deliveries>,
        given_up: &dyn Fn() -> bool,
    ) -> Result<Option<Post>, OutboxError> {
        let (clock, bell) = (clock.clone(), bell.clone());
        let opened = Publisher::open(config, clock, bell, deliveries, given_up)?;
        Ok(opened.map(|(publisher, counts)| (Box::new(publisher) as Box<dyn Courier>, counts)))
    }
}
