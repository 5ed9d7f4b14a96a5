//! A source of files looks at its place: before it begins, and again and again where files are watched.

use std::time::Duration;

use super::FilesSource;
use super::list::{ENDINGS, ListError, Listed};
use super::read::TroubleWith;
use crate::source::SourceError;
use sluicegate_model::position::Positions;

/// How long one call waits for a listing.
const LIST_WAIT: Duration = Duration::from_secs(1);

impl FilesSource {
    /// Waits a while for a listing. Whether there is one; otherwise the trouble says why, or it is only slow.
    pub(super) fn look(&mut self) -> Result<bool, SourceError> {
        if self.listed.is_some() {
            return Ok(true);
        }
        let missing = match self.listings.wait(LIST_WAIT) {
            None => return Ok(false),
            Some(Ok(listed)) if listed.files.is_empty() && self.watch.is_none() => true,
            Some(Ok(listed)) => {
                self.trouble.end(&TroubleWith::Listing);
                self.listed = Some(listed);
                return Ok(true);
            }
            Some(Err(ListError::Missing)) => self.watch.is_none(),
            Some(Err(ListError::Store(reason))) => {
                self.cannot_list(&reason);
                self.runtime.block_on(async { tokio::time::sleep(LIST_WAIT).await });
                return Ok(false);
            }
        };
        if missing {
            return Err(SourceError::Final(format!(
                "`source.files.path` = `{}` names no file, and no file below it ends in {ENDINGS}: there is nothing to read",
                self.place.name
            )));
        }
        self.trouble.end(&TroubleWith::Listing);
        self.listed = Some(Listed::default());
        Ok(true)
    }

    /// Whether it could go on at these positions, by a listing; no file is read. Nothing is found where the place does not
    /// answer.
    ///
    /// # Errors
    /// What [`assign`](crate::source::Source::assign) would say.
    pub fn check(&mut self, positions: &Positions) -> Result<(), SourceError> {
        if !self.look()? {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let listed = self.listed.take().unwrap_or_default();
        self.files.clear();
        self.files.adopt(listed.files, now)?;
        self.files.resume(positions, now)
    }

    /// A folder that is watched may be empty, or not there, but perhaps its path is mistyped. Where files were read from it,
    /// it is not.
    pub(super) fn say_that_there_is_nothing(&self, positions: &Positions) {
        let (path, every) = (&self.place.name, self.watch.unwrap_or_default());
        if positions.is_empty() && self.files.has_finished_none() {
            tracing::warn!(
                %path, ?every,
                "`source.files.path` names no file yet, and no file below it ends in {ENDINGS}: it is looked at again and again"
            );
        } else {
            tracing::info!(%path, ?every, "all files that were read are gone: new ones are looked for");
        }
    }

    fn cannot_list(&self, reason: &str) {
        let words = format!("`{}` cannot be listed: {reason}", self.place.name);
        self.trouble.begin(&TroubleWith::Listing, words);
    }

    /// Looks for new files when it is time, without waiting for the answer.
    pub(super) fn watch_for_new_files(&mut self) -> Result<(), SourceError> {
        let Some(every) = self.watch else { return Ok(()) };
        match self.listings.poll(every) {
            Some(Ok(listed)) => {
                self.trouble.end(&TroubleWith::Listing);
                self.files.adopt(listed.files, self.clock.monotonic())
            }
            Some(Err(ListError::Store(reason))) => {
                self.cannot_list(&reason);
                Ok(())
            }
            // Nothing there yet, or no more.
            Some(Err(ListError::Missing)) => {
                self.trouble.end(&TroubleWith::Listing);
                self.files.adopt(Vec::new(), self.clock.monotonic())
            }
            // Not answered yet.
            None => Ok(()),
        }
    }
}
