//! Decimals of more than 18 digits all the way: JSON, keys, a plugin, and every table.

use std::fs;

use crate::harness::host::run_to_end;
use crate::harness::place::Place;
use crate::harness::services::plugin;
use crate::harness::table::rows;

/// Sums of an account's bookings in windows of 10 s; what comes late, or is no booking, is kept.
#[test]
fn long_decimals_are_exact_from_the_file_to_every_table() {
    let place = Place::local();
    let folder = place.folder.path();
    let bookings = [
        r#"{"account":123456789012345678901234567890,"amount":9999999999999999999999999999999.9999,"ts":1}"#,
        r#"{"account":-7,"amount":"0.0001","ts":2}"#,
        r#"{"account":"123456789012345678901234567890","amount":"1","ts":3}"#,
        r#"{"account":-7,"amount":-18446744073709551616,"ts":12}"#,
        r#"{"account":-7,"amount":"-20000000000000000000.0002","ts":4}"#,
        r#"{"account":-7,"amount":"0.00005","ts":13}"#,
    ];
    fs::write(folder.join("bookings.ndjson"), bookings.join("\n")).unwrap();
    let (url, module) = (&place.url, plugin("ledger").display().to_string());
    let pipeline = format!(
        "name = \"ledger\"\n\
         [source]\ntype = \"files\"\n[source.files]\npath = \"{}/bookings.ndjson\"\n\
         [schema]\naccount = \"decimal(38,0)\"\namount = \"decimal(35,4)\"\nts = \"timestamp(s)\"\n\
         [event_time]\ncolumn = \"ts\"\nmax_out_of_orderness = \"0s\"\n\
         [[stages]]\nid = \"ledger\"\nkind = \"aggregate\"\nplugin = \"{module}\"\n\
         [window]\nkey = [\"account\"]\ntype = \"tumbling\"\nsize = \"10s\"\n\
         [late]\npath = \"{url}/late\"\n\
         [[sinks]]\nid = \"balances\"\ntype = \"parquet\"\npath = \"{url}/balances\"\n\
         [dead_letters]\npath = \"{url}/dead\"\n\
         [checkpoint]\npath = \"{url}/chain\"\n\
         [limits]\ncall_deadline = \"60s\"\n",
        folder.display()
    );
    let path = folder.join("ledger.toml");
    fs::write(&path, pipeline).unwrap();
    run_to_end(&place, &path);

    let balances = rows(&place, "balances", &["account", "balance", "bookings", "window_start"]);
    let expected = [
        "-7 | -18446744073709551616.0000 | 1 | 1970-01-01T00:00:10Z",
        "-7 | 0.0001 | 1 | 1970-01-01T00:00:00Z",
        "123456789012345678901234567890 | 10000000000000000000000000000000.9999 | 2 | 1970-01-01T00:00:00Z",
    ];
    assert_eq!(balances, expected);
    let late = rows(&place, "late", &["account", "amount", "ts"]);
    assert_eq!(late, ["-7 | -20000000000000000000.0002 | 1970-01-01T00:00:04Z"]);
    let reason = "column `amount`: expected decimal(35,4), found \"0.00005\", which has too many digits behind the point";
    assert_eq!(rows(&place, "dead", &["kind", "reason"]), [format!("decode | {reason}")]);
}
