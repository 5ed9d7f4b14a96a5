//! Where brokers are, as a list of them is written.

/// Host and port.
pub(crate) type Address = (String, u16);

/// Those of `host:port`, comma separated. What has no port is left out.
pub(crate) fn addresses(brokers: &str) -> impl Iterator<Item = Address> {
    brokers.split(',').filter_map(|address| {
        let (host, port) = address.trim().rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), port.parse().ok()?))
    })
}
