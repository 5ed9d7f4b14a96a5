//! Finding data files in the folders of tables: a chain's from an epoch on, or all that a lane ever had.

use std::sync::Arc;

use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::body::SlotBody;
use super::folders::EPOCHS_FOLDER;
use super::paths::{DataFileName, LaneTag, Naming};
use super::record::Epoch;
use super::resolve::FoundFile;
use super::store::LIST_PAGE;
use sluicegate_model::schema::DATE_COLUMN;
use sluicegate_store::Location;
use sluicegate_store::once::in_time;

/// Folders of days that are listed at a time. An opening waits for it while nobody works, and a table has one for each day that its rows
/// are of: at 25 ms a request those of ten years take a second and a half.
const DAYS_AT_ONCE: usize = 64;

/// Whether the table had date folders lately.
pub(super) fn had_folders(slots: &[SlotBody], table: &str) -> bool {
    let mut files = slots.iter().flat_map(|slot| &slot.record.files);
    files.any(|file| file.table == table && lies_in_day(&file.path))
}

/// Whether a path below a table begins with the folder of a day.
fn lies_in_day(below: &str) -> bool {
    below.split_once('/').is_some_and(|(folder, _)| is_day(folder))
}

fn is_day(folder: &str) -> bool {
    folder.strip_prefix(DATE_COLUMN).is_some_and(|value| value.starts_with('='))
}

/// Whether a table has date folders. The pipeline file may have changed its mind, so the store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    None,
    Some,
}

impl Folders {
    /// Asks with one request: where keys come in order, the first after `date=` lies in a folder if any does.
    pub(super) async fn of(table: &Location) -> object_store::Result<Self> {
        let before = table.path(&format!("{}=", DATE_COLUMN));
        let listing = table.store.list_with_offset(root_of(table), &before).take(LIST_PAGE);
        let objects: Vec<ObjectMeta> = in_time(listing.try_collect()).await?;
        let in_folder = |object: &ObjectMeta| lies_in_day(&table.below(&object.location));
        Ok(if objects.iter().any(in_folder) { Self::Some } else { Self::None })
    }
}

/// Listings take no empty prefix.
fn root_of(table: &Location) -> Option<&Path> {
    (!table.prefix.as_ref().is_empty()).then_some(&table.prefix)
}

/// All data files of a lane in a table, whatever their chain.
pub(super) async fn all_files(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
) -> object_store::Result<Vec<FoundFile>> {
    let objects = table.store.list(root_of(table));
    let found = objects.try_filter_map(|object| async { Ok(found(id, tag, object)) });
    found.try_collect().await
}

/// The data files of one naming in a table, from an epoch on.
///
/// Names sort by epoch within a folder, and folders of other values than days lie in those of epochs, which sort alike. So a
/// look costs two requests or three and one for each thousand files found, however old the table is; with date folders that
/// much for each of them.
pub(super) async fn files_from(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    naming: Naming<'_>,
    epoch: Epoch,
    folders: Folders,
) -> object_store::Result<Vec<FoundFile>> {
    let (store, root) = (&table.store, root_of(table));
    let range = NameRange::from_epoch(tag, naming, epoch);
    let flat = async {
        match folders {
            Folders::None => objects_within(store, root, &range).await,
            Folders::Some => {
                let top = in_time(store.list_with_delimiter(root)).await?;
                let folders = days(table, &top.common_prefixes);
                let folders = folders.map(|folder| objects_within(store, Some(folder), &range));
                let folders = futures::stream::iter(folders).buffered(DAYS_AT_ONCE);
                let mut objects: Vec<Vec<ObjectMeta>> = folders.try_collect().await?;
                objects.push(top.objects);
                Ok(objects.into_iter().flatten().collect())
            }
        }
    };
    let epochs = table.path(EPOCHS_FOLDER);
    let (mut objects, of_epochs): (Vec<ObjectMeta>, _) =
        try_join(flat, objects_within(store, Some(&epochs), &range)).await?;
    objects.extend(of_epochs);
    let is_wanted = |name: &DataFileName| match naming {
        Naming::OfChain(chain) => name.chain.as_deref() == Some(chain) && name.epoch >= epoch,
        Naming::Earlier => name.chain.is_none() && name.epoch >= epoch,
    };
    let found = objects.into_iter().filter_map(|object| found(id, tag, object));
    Ok(found.filter(|file| is_wanted(&file.name)).collect())
}

/// The folders of days among those of a table.
fn days<'f>(table: &'f Location, folders: &'f [Path]) -> impl Iterator<Item = &'f Path> {
    folders.iter().filter(|folder| is_day(&table.below(folder)))
}

fn found(id: &Arc<str>, tag: &LaneTag, object: ObjectMeta) -> Option<FoundFile> {
    let name = tag.parse(object.location.filename()?)?;
    Some(FoundFile { table: Arc::clone(id), path: object.location, name, bytes: object.size })
}

/// Shows all data files of a chain in a table from an epoch on, one by one: there may be millions.
pub(super) async fn each_file(
    table: &Location,
    tag: &LaneTag,
    chain: &str,
    epoch: Epoch,
    folders: Folders,
    mut show: impl FnMut(Path, DataFileName),
) -> object_store::Result<()> {
    let (store, root) = (&table.store, root_of(table));
    let naming = Naming::OfChain(chain);
    let range = NameRange::from_epoch(tag, naming, epoch);
    let mut show = |object: ObjectMeta| {
        let name = object.location.filename().and_then(|name| tag.parse(name));
        if let Some(name) = name.filter(|name| name.chain.as_deref() == Some(chain)) {
            show(object.location, name);
        }
    };
    within(store, Some(&table.path(EPOCHS_FOLDER)), &range, &mut show).await?;
    if folders == Folders::None {
        return within(store, root, &range, show).await;
    }
    let top = in_time(store.list_with_delimiter(root)).await?;
    for folder in days(table, &top.common_prefixes) {
        within(store, Some(folder), &range, &mut show).await?;
    }
    top.objects.into_iter().for_each(show);
    Ok(())
}

/// Names of files that are wanted of a listing, in the order of names.
struct NameRange {
    /// Comes before all of them, and is none of them.
    first: String,
    /// Comes behind all of them.
    behind: String,
}

impl NameRange {
    fn from_epoch(tag: &LaneTag, naming: Naming<'_>, epoch: Epoch) -> Self {
        Self { first: tag.before_epoch(naming, epoch), behind: tag.behind(naming) }
    }
}

/// Shows the objects of a folder whose names lie in a range.
///
/// Stores list in the order of names, all but some that nobody promises anything of (a local directory). So the listing
/// ends after a whole page that was in order and behind the range.
async fn within(
    store: &Arc<dyn ObjectStore>,
    folder: Option<&Path>,
    range: &NameRange,
    mut show: impl FnMut(ObjectMeta),
) -> object_store::Result<()> {
    let (first, behind) = (below(folder, &range.first), below(folder, &range.behind));
    let mut listing = store.list_with_offset(folder, &first);
    let (mut last, mut in_order_behind) = (first, 0);
    while let Some(object) = listing.try_next().await? {
        in_order_behind = match object.location > last && object.location > behind {
            true => in_order_behind + 1,
            false => 0,
        };
        last.clone_from(&object.location);
        if object.location < behind {
            show(object);
        }
        if in_order_behind > LIST_PAGE {
            break;
        }
    }
    Ok(())
}

fn below(folder: Option<&Path>, name: &str) -> Path {
    folder.into_iter().flat_map(Path::parts).chain([name.into()]).collect()
}

async fn objects_within(
    store: &Arc<dyn ObjectStore>,
    folder: Option<&Path>,
    range: &NameRange,
) -> object_store::Result<Vec<ObjectMeta>> {
    let mut objects = Vec::new();
    within(store, folder, range, |object| objects.push(object)).await?;
    Ok(objects)
}
