//! What stands in the place of a machine.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::task::JoinHandle;

/// Runs threads and tasks as a simulation wants it.
pub trait Stage: Send + Sync {
    /// Returns when the work is done. Called by threads of this stage only; a thread that is to die does not return.
    fn block_on(&self, work: Pin<&mut (dyn Future<Output = ()> + '_)>);

    /// Has a task do it.
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) -> JoinHandle<()>;

    /// Begins a thread. The answer waits for its end.
    ///
    /// # Errors
    ///
    /// The system has no thread to spare.
    fn thread(
        &self,
        name: String,
        stack_bytes: Option<usize>,
        work: Box<dyn FnOnce() + Send>,
    ) -> io::Result<Join>;
}

/// Waits until a thread has ended. It may return earlier where the thread that waits is to die.
pub type Join = Box<dyn FnOnce() + Send>;
