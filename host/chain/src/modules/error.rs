//! Why a module cannot be stored or found.

use sluicegate_store::failure;

use super::{ATTEMPTS_MAX, DIGEST_PREFIX_MIN, NAME_BYTES_MAX, VersionChoice};

/// A module could not be stored or found.
#[derive(Debug, thiserror::Error)]
pub enum ModuleStoreError {
    /// Names appear in paths and labels.
    #[error(
        "`{name}` is not a name for a module: use a-z, 0-9 and `-`, first a letter or digit, at most \
         {NAME_BYTES_MAX}"
    )]
    Name {
        /// The name that was asked for or uploaded under.
        name: String,
    },
    /// Neither a number nor a digest.
    #[error(
        "`{text}` is not a version of a module: write its number, or at least {DIGEST_PREFIX_MIN} digits of its \
         digest"
    )]
    Version {
        /// The version that was asked for, or a digest too short.
        text: String,
    },
    /// Nothing was uploaded under that name.
    #[error(
        "there is no module `{name}` in {url}; upload it with `sluicegate plugin push {name} FILE`"
    )]
    UnknownModule {
        /// The name that was asked for; it is well formed.
        name: String,
        /// The store that was searched, as a URL.
        url: String,
    },
    /// The name is there, the version is not.
    #[error("module `{name}` has no version {version}; its newest is {newest}")]
    UnknownVersion {
        /// The name that was asked for; it has versions.
        name: String,
        /// The version that was asked for.
        version: VersionChoice,
        /// The highest version number of the module.
        newest: u64,
    },
    /// A prefix of several digests.
    #[error("several versions of module `{name}` begin with {prefix}; write more of its digest")]
    Ambiguous {
        /// The module whose versions were searched.
        name: String,
        /// The digits that the digests of several versions begin with.
        prefix: String,
    },
    /// What is stored is not what its name says.
    #[error(
        "`{path}` in {url} is damaged: {reason}; upload the module again elsewhere, or restore the object"
    )]
    Damaged {
        /// Path of the version or module object in the store.
        path: String,
        /// The store in which it lies, as a URL.
        url: String,
        /// What contradicts its name, or the decoder's words.
        reason: String,
    },
    /// Every number that was tried belonged to somebody else.
    #[error(
        "no number was free for a new version of module `{name}` in {ATTEMPTS_MAX} attempts; try again"
    )]
    Contended {
        /// The module that was uploaded.
        name: String,
    },
    /// The store failed. An upload may have taken effect all the same; repeating it is safe.
    #[error("{what} in {url}")]
    Store {
        /// The request that failed, as the message begins.
        what: String,
        /// The store that was asked, as a URL.
        url: String,
        /// What the store answered, for the chain of causes.
        #[source]
        source: object_store::Error,
    },
}

impl ModuleStoreError {
    /// Whether uploading the module would help.
    pub fn is_not_uploaded(&self) -> bool {
        matches!(self, Self::UnknownModule { .. })
    }

    /// Whether there is no such object.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Store { source, .. } if failure::is_absent(source))
    }
}
