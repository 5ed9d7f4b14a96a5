//! Which versions of the contract this host speaks: its own, and every older one that is compatible.
//!
//! Below 1.0 the middle number counts the incompatible versions and the last the additions, as cargo and wasmtime
//! have it. wasmtime finds an interface under a compatible version by itself; what is here decides whom we let that far.

/// Everything but the last number of the package's version.
const COMPATIBLE: &str = "0.1";
/// The last number.
const ADDITIONS: u32 = 1;

/// The package, as messages name it.
pub(super) const PACKAGE: &str = "sluicegate:plugin@0.1.1";

/// Whether `name` is that interface of the contract, in a version that we speak.
pub(super) fn speaks(name: &str, interface: &str) -> bool {
    let version = name
        .strip_prefix("sluicegate:plugin/")
        .and_then(|name| name.strip_prefix(interface))
        .and_then(|name| name.strip_prefix('@'))
        .and_then(|version| version.strip_prefix(COMPATIBLE))
        .and_then(|version| version.strip_prefix('.'));
    // As it is written in a version: digits, without a sign or zeros in front.
    version.is_some_and(|last| (0..=ADDITIONS).any(|known| known.to_string() == last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_additions_are_spoken_and_younger_are_not() {
        for version in ["0.1.0", "0.1.1"] {
            assert!(speaks(&format!("sluicegate:plugin/host@{version}"), "host"), "{version}");
        }
        for version in ["0.1.2", "0.1.01", "0.1.", "0.1", "0.2.0", "1.1.0", "0.1.0-rc1", ""] {
            assert!(!speaks(&format!("sluicegate:plugin/host@{version}"), "host"), "{version}");
        }
        assert!(!speaks("sluicegate:plugin/hosts@0.1.0", "host"));
        assert!(PACKAGE.ends_with(&format!("@{COMPATIBLE}.{ADDITIONS}")));
    }
}
