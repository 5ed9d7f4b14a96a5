//! Large objects over a thin line that breaks: they get through however long it takes, and what got through is not sent
//! again.

use std::time::Duration;

use object_store::path::Path;
use rand::{RngCore, SeedableRng};
use sluicegate_model::time::Clock;
use sluicegate_store::once::{Created, Immutable};
use sluicegate_store::upload::{Aborts, Upload};
use sluicegate_store::{Location, StoreOptions, open_patiently, read};

use crate::harness::line::{Line, Quality};
use crate::harness::place::Place;
use crate::harness::{seed, services};

const OBJECT_BYTES: usize = 24 << 20;
/// The least that S3 takes.
const PART_BYTES: u64 = 5 << 20;

/// The object takes six seconds, and no connection carries two parts.
const THIN: Quality = Quality { bytes_per_second: 4 << 20, breaks_after: 7 << 20 };

/// Of which nothing may move: much less than the object takes.
const PATIENCE: Duration = Duration::from_secs(2);

fn over(line: &Line, place: &Place) -> Location {
    let mut environment = place.environment.clone();
    for (variable, value) in &mut environment {
        if *variable == "AWS_ENDPOINT_URL" {
            value.clone_from(&line.endpoint);
        }
    }
    let own = |(variable, value): (&str, String)| (variable.to_owned(), value);
    let options = StoreOptions { environment: environment.into_iter().map(own).collect() };
    let mut location = open_patiently(&place.url, &options, PATIENCE).unwrap();
    location.parts.as_mut().expect("S3 takes parts").bytes = PART_BYTES;
    location
}

#[test]
fn a_large_object_gets_through_a_line_that_is_thin_and_breaks() {
    let place = Place::s3(services::s3());
    let line = Line::to(services::s3(), THIN);
    let location = over(&line, &place);
    let mut bytes = vec![0; OBJECT_BYTES];
    rand::rngs::SmallRng::seed_from_u64(seed(91)).fill_bytes(&mut bytes);
    let object = Immutable::new(bytes.into());
    let path = Path::from("lane/state/large");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clock = Clock::system();
    let begun = clock.monotonic();
    runtime.block_on(async {
        let aborts = Aborts::new();
        let mut upload = Upload::new(&location, &path, &object, &aborts);
        for attempt in 0..100 {
            match upload.attempt().await {
                Created::Ours => return,
                Created::Taken => panic!("nobody else puts anything there"),
                Created::Unknown(error) => println!("attempt {attempt}: {error}"),
            }
            assert!(place_is_empty(&location).await, "nobody sees a part of it");
        }
        panic!("it does not get through");
    });
    let took = clock.monotonic() - begun;
    assert!(took > 2 * PATIENCE, "no limit for the whole: {took:?}");
    assert!(line.broken() > 1, "the line broke");
    // A connection that breaks takes a part with it, and no more.
    let sent_again = line.broken() * (PART_BYTES + (1 << 20));
    assert!(line.up() < OBJECT_BYTES as u64 + sent_again, "{} bytes were sent", line.up());

    let broken = line.broken();
    let found = runtime.block_on(read::whole(&location, &path)).unwrap();
    assert!(found == object.bytes(), "what comes back is what went up");
    assert!(line.broken() > broken, "the line broke while it was read");
    let uploads = reqwest::blocking::get(format!(
        "{}/{}?uploads",
        services::s3(),
        place.url.trim_start_matches("s3://")
    ));
    let uploads = uploads.unwrap().text().unwrap();
    assert!(uploads.contains("ListMultipartUploadsResult"), "{uploads}");
    assert!(!uploads.contains("<Upload>"), "no upload is left: {uploads}");
}

async fn place_is_empty(location: &Location) -> bool {
    use futures::StreamExt;
    location.store.list(None).next().await.is_none()
}
