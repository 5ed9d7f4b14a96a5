//! Lists a bucket in which a key is no path: a page that holds one is asked for again in ever smaller pieces, until the
//! key stands alone and can be passed over.

use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::{Error, ObjectMeta, Result, path};

use super::left_out::LeftOut;

/// As many keys as S3 lists at once.
const PAGE: usize = 1_000;

/// A bucket with more of them is another thing than one with a few slips, and each costs some requests.
const ODD_KEYS_MAX: usize = 1_000;

/// Whether a listing failed because of the name of a key.
pub(super) fn is_odd_key(error: &Error) -> bool {
    matches!(error, Error::InvalidPath { .. })
}

/// All objects below `prefix` whose keys are paths.
///
/// # Errors
/// The store's; [`Error::InvalidPath`] if there are too many odd keys.
pub(super) async fn list(
    store: &dyn PaginatedListStore,
    prefix: &str,
    left_out: &mut LeftOut,
) -> Result<Vec<ObjectMeta>> {
    let mut objects = Vec::new();
    let (mut size, mut token, mut offset, mut passed_over) = (PAGE, None, None, 0);
    loop {
        let options = PaginatedListOptions {
            offset: Option::clone(&offset),
            page_token: Option::clone(&token),
            max_keys: Some(size),
            ..PaginatedListOptions::default()
        };
        match store.list_paginated(Some(prefix), options).await {
            Ok(page) => {
                objects.extend(page.result.objects);
                let Some(next) = page.page_token else { return Ok(objects) };
                (token, offset) = (Some(next), None);
                size = (size * 10).min(PAGE);
            }
            Err(error) if is_odd_key(&error) && size > 1 => size /= 10,
            Err(error) if passed_over == ODD_KEYS_MAX => return Err(error),
            Err(Error::InvalidPath { source }) => {
                let key = key_of(&source);
                left_out.add_odd(&key, "it has an empty part, or one that is not a name of a file");
                passed_over += 1;
                (token, offset) = (None, Some(key));
            }
            Err(error) => return Err(error),
        }
    }
}

fn key_of(error: &path::Error) -> String {
    match error {
        path::Error::EmptySegment { path }
        | path::Error::BadSegment { path, .. }
        | path::Error::NonUnicode { path, .. }
        | path::Error::PrefixMismatch { path, .. } => path.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use object_store::ListResult;
    use object_store::list::PaginatedListResult;
    use object_store::path::Path;

    use super::*;

    /// Keys, ascending, as S3 lists them.
    struct Bucket(Vec<&'static str>);

    #[async_trait]
    impl PaginatedListStore for Bucket {
        async fn list_paginated(
            &self,
            prefix: Option<&str>,
            options: PaginatedListOptions,
        ) -> Result<PaginatedListResult> {
            let after = options.page_token.or(options.offset).unwrap_or_default();
            let keys = self.0.iter().filter(|key| key.starts_with(prefix.unwrap()));
            let mut keys = keys.filter(|key| ***key > *after).peekable();
            let (mut objects, mut last) = (Vec::new(), "");
            for key in keys.by_ref().take(options.max_keys.unwrap()) {
                last = key;
                objects.push(ObjectMeta {
                    location: Path::parse(key)?,
                    last_modified: chrono::DateTime::UNIX_EPOCH,
                    size: 1,
                    e_tag: None,
                    version: None,
                });
            }
            let page_token = keys.peek().map(|_| last.to_owned());
            let result = ListResult { common_prefixes: Vec::new(), objects };
            Ok(PaginatedListResult { result, page_token })
        }
    }

    #[tokio::test]
    async fn a_key_that_is_no_path_is_left_out_and_the_others_are_found() {
        let mut keys =
            vec!["in//a.json", "in/./b.json", "in/a.json", "in/b//c.json", "in/b.json", "other"];
        keys.sort_unstable();
        let bucket = Bucket(keys);
        let mut left_out = LeftOut::default();
        let objects = list(&bucket, "in/", &mut left_out).await.unwrap();
        let names: Vec<_> = objects.iter().map(|object| object.location.as_ref()).collect();
        assert_eq!(names, ["in/a.json", "in/b.json"]);
        let odd: Vec<_> = left_out.odd.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(odd, ["in/./b.json", "in//a.json", "in/b//c.json"]);
    }
}
