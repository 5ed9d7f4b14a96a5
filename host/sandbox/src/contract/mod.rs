//! Which versions of the contract this host speaks: its own, and every older one that is compatible.
//!
//! Below 1.0 the middle number counts the incompatible versions and the last the additions, as cargo and wasmtime
//! have it. wasmtime finds an interface under a compatible version by itself; what is here decides whom we let that far.

pub(crate) mod bindings;

/// The interface that every plugin exports.
pub(crate) const LIFECYCLE: &str = "lifecycle";

/// Everything but the last number of the package's version.
const COMPATIBLE: &str = "0.1";
/// The version is `0.1.ADDITIONS`: later ones only add to the contract.
pub(crate) const ADDITIONS: u32 = 3;
/// The last number from which on plugins know decimals of more than 18 digits.
pub(crate) const LONG_DECIMALS: u32 = 2;

/// The package, as messages name it.
pub(crate) const PACKAGE: &str = "sluicegate:plugin@0.1.3";

/// Whether `name` is that interface of the contract, in a version that we speak.
pub(crate) fn speaks(name: &str, interface: &str) -> bool {
    additions(name, interface).is_some()
}

/// The last number of the version, if `name` is that interface of the contract in a version that we speak.
pub(crate) fn additions(name: &str, interface: &str) -> Option<u32> {
    let version = name
        .strip_prefix("sluicegate:plugin/")
        .and_then(|name| name.strip_prefix(interface))
        .and_then(|name| name.strip_prefix('@'))
        .and_then(|version| version.strip_prefix(COMPATIBLE))
        .and_then(|version| version.strip_prefix('.'));
    // As it is written in a version: digits, without a sign or zeros in front.
    version.and_then(|last| (0..=ADDITIONS).find(|known| known.to_string() == last))
}

/// The package in the version with that last number.
pub(crate) fn package(additions: u32) -> String {
    format!("sluicegate:plugin@{COMPATIBLE}.{additions}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_additions_are_spoken_and_younger_are_not() {
        for (last, version) in [(0, "0.1.0"), (1, "0.1.1"), (2, "0.1.2"), (3, "0.1.3")] {
            let name = format!("sluicegate:plugin/host@{version}");
            assert_eq!(additions(&name, "host"), Some(last), "{version}");
        }
        for version in ["0.1.4", "0.1.01", "0.1.", "0.1", "0.2.0", "1.1.0", "0.1.0-rc1", ""] {
            assert!(!speaks(&format!("sluicegate:plugin/host@{version}"), "host"), "{version}");
        }
        assert!(!speaks("sluicegate:plugin/hosts@0.1.0", "host"));
        assert_eq!(PACKAGE, package(ADDITIONS));
    }
}
