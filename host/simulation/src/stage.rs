//! The stage of an instance: its threads and tasks, which go on only while it does.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sluicegate_runtime::{Join, Stage};
use tokio::task::JoinHandle;

use super::instance::{Going, Instance};
use super::thread;

/// What the engine is handed.
pub(crate) struct InstanceStage(pub(crate) Arc<Instance>);

impl Stage for InstanceStage {
    fn block_on(&self, work: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        thread::block_on(work);
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) -> JoinHandle<()> {
        let (instance, number) = (Arc::clone(&self.0), self.0.number());
        let handle = instance.handle.clone();
        handle.spawn(Task { instance, number, work: Some(task) })
    }

    fn thread(
        &self,
        name: String,
        stack_bytes: Option<usize>,
        work: Box<dyn FnOnce() + Send>,
    ) -> io::Result<Join> {
        thread::begin(&self.0, name, stack_bytes, work)
    }
}

/// A task of an instance. It ends with it.
struct Task {
    instance: Arc<Instance>,
    number: u64,
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.instance.step(self.number, context) {
            Going::Asleep => return Poll::Pending,
            Going::Dead => self.work = None,
            Going::On => {}
        }
        if let Some(work) = &mut self.work
            && work.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        self.work = None;
        self.instance.ended(self.number);
        Poll::Ready(())
    }
}
