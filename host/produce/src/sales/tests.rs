//! Same seed, same bytes; every share holds; what is broken is broken and nothing else is.

use std::time::Duration;

use expect_test::expect;

use super::{Defect, Sale, Sales, SalesSettings};
use crate::chance::Delay;
use crate::event::{Event, TimeUnit};
use crate::stream::StreamSettings;

/// Enough that a share of 5 % is met within a tenth of itself.
const EVENTS: usize = 100_000;

fn stream() -> StreamSettings {
    StreamSettings { seed: 7, ..StreamSettings::default() }
}

fn coming(stream: StreamSettings) -> SalesSettings {
    SalesSettings { stream, ..SalesSettings::default() }
}

fn settings() -> SalesSettings {
    coming(stream())
}

fn lines(settings: SalesSettings, count: usize) -> String {
    let mut bytes = Vec::new();
    for sale in Sales::new(settings).take(count) {
        sale.write_value(TimeUnit::Seconds, &mut bytes);
        bytes.push(b'\n');
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn value(sale: Sale, unit: TimeUnit) -> Vec<u8> {
    let mut bytes = Vec::new();
    sale.write_value(unit, &mut bytes);
    bytes
}

fn share(count: usize) -> f64 {
    count as f64 / EVENTS as f64
}

#[test]
fn the_bytes_of_a_seed_never_change() {
    expect![[r#"
        {"store":"store-137","item":"item-579","price":238.12,"ts":1767225600}
        {"store":"store-58","item":"item-561","price":108.90,"ts":1767225600}
        {"store":"store-164","item":"item-228","price":123.39,"ts":1767225600}
        {"store":"store-146","item":"item-855","price":90.98,"ts":1767225600}
        {"store":"store-161","item":"item-904","price":326.52,"ts":1767225600}
    "#]]
    .assert_eq(&lines(settings(), 5));
}

#[test]
fn another_seed_makes_other_sales() {
    assert_eq!(lines(settings(), 100), lines(settings(), 100));
    assert_ne!(lines(settings(), 100), lines(coming(StreamSettings { seed: 8, ..stream() }), 100));
}

#[test]
fn one_sale_in_ten_is_for_the_filter() {
    let sales: Vec<Sale> = Sales::new(settings()).take(EVENTS).collect();
    let unpaid = sales.iter().filter(|sale| sale.price_hundredths <= 0).count();
    let gifts = sales.iter().filter(|sale| sale.price_hundredths == 0).count();
    let kiosks = sales.iter().filter(|sale| sale.is_kiosk).count();
    assert!((0.045..0.055).contains(&share(unpaid)), "{unpaid}");
    assert!((0.045..0.055).contains(&share(kiosks)), "{kiosks}");
    assert!(gifts > 0 && gifts < unpaid, "{gifts}");
}

#[test]
fn delays_have_their_shares_and_bounds() {
    let second = Duration::from_secs(1);
    let stream = StreamSettings {
        rate: 1_000,
        out_of_order: Delay { share: 0.3, by: 5 * second },
        late: Delay { share: 0.02, by: 60 * second },
        ..stream()
    };
    let lag = |(index, sale): (usize, Sale)| {
        stream.start_micros + i64::try_from(index).unwrap() * 1_000 - sale.time_micros
    };
    let lags: Vec<i64> = Sales::new(coming(stream)).take(EVENTS).enumerate().map(lag).collect();
    let on_time = lags.iter().filter(|lag| **lag == 0).count();
    let late = lags.iter().filter(|lag| **lag >= 60_000_000).count();
    assert!((0.67..0.69).contains(&share(on_time)), "{on_time}");
    assert!((0.018..0.022).contains(&share(late)), "{late}");
    assert!(
        lags.iter()
            .all(|lag| (0..5_000_000).contains(lag) || (60_000_000..120_000_000).contains(lag))
    );
}

#[test]
fn good_records_are_json_and_bad_ones_are_broken_in_every_way() {
    let settings = coming(StreamSettings { bad_share: 0.1, ..stream() });
    let mut bad = 0;
    let mut seen = Vec::new();
    for sale in Sales::new(settings).take(EVENTS) {
        let bytes = value(sale, TimeUnit::Millis);
        assert!(!bytes.contains(&b'\n') && !bytes.is_empty());
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
        let is_sale = json.is_ok_and(|json| {
            json["ts"].is_i64() && json["price"].is_number() && json["store"].is_string()
        });
        assert_eq!(is_sale, sale.defect.is_none(), "{}", String::from_utf8_lossy(&bytes));
        bad += usize::from(!is_sale);
        seen.extend(sale.defect.filter(|defect| !seen.contains(defect)));
    }
    assert!((0.095..0.105).contains(&share(bad)), "{bad}");
    assert_eq!(seen.len(), Defect::ALL.len());
}

#[test]
fn a_share_leaves_everything_else_as_it_is() {
    let without: Vec<Sale> = Sales::new(settings()).take(1_000).collect();
    let with = coming(StreamSettings { bad_share: 0.5, ..stream() });
    let with: Vec<Sale> = Sales::new(with).take(1_000).collect();
    let mended: Vec<Sale> = with.iter().map(|sale| Sale { defect: None, ..*sale }).collect();
    assert!(without == mended && without != with);
}

#[test]
fn numbers_are_written_as_json_writes_them() {
    let sale = Sale {
        store: 0,
        is_kiosk: true,
        item: 4_294_967_295,
        price_hundredths: -5,
        time_micros: -1,
        defect: None,
    };
    let text = |unit| String::from_utf8(value(sale, unit)).unwrap();
    let seconds = text(TimeUnit::Seconds);
    assert_eq!(seconds, r#"{"store":"kiosk-0","item":"item-4294967295","price":-0.05,"ts":-1}"#);
    assert!(text(TimeUnit::Micros).ends_with("\"ts\":-1}"));
    let later = Sale { time_micros: 1_767_225_600_123_456, price_hundredths: 120_030, ..sale };
    let later = String::from_utf8(value(later, TimeUnit::Millis)).unwrap();
    assert!(later.ends_with(r#""price":1200.30,"ts":1767225600123}"#), "{later}");
}
