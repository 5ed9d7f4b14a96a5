//! Which input it is: positions mean nothing in another topic of the same name, or in another
//! cluster at the same address (docs/design/commit.md#positions).

use serde::{Deserialize, Serialize};

use crate::position::Partition;

/// What tells an input from another that is called like it. What the outside does not tell is unknown, and differs from
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceIdentity {
    /// Kafka's id of the cluster; none of files and where the broker does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Kafka's id of the topic: a topic that is made anew gets another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

impl SourceIdentity {
    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Why `seen` is another input than this one; none if it may be the same.
    pub fn contradiction(&self, seen: &Self) -> Option<String> {
        if let (Some(ours), Some(seen)) = (&self.cluster, &seen.cluster)
            && ours != seen
        {
            return Some(format!("it lies in the cluster {seen}, the one that was read in {ours}"));
        }
        match (&self.topic, &seen.topic) {
            (Some(ours), Some(seen)) if ours != seen => Some(format!(
                "it was deleted and created again: its id is {seen}, the one that was read had {ours}"
            )),
            _ => None,
        }
    }

    /// Takes over what was not known.
    pub fn learn(&mut self, seen: &Self) {
        let Self { cluster, topic } = self;
        if cluster.is_none() {
            cluster.clone_from(&seen.cluster);
        }
        if topic.is_none() {
            topic.clone_from(&seen.topic);
        }
    }
}

/// A position that was moved, because it was lost or because somebody said so. The chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// The partition whose position was moved.
    pub partition: Partition,
    /// The record that would have been read next.
    pub from: i64,
    /// The record that is read next instead; less than `from` where it went back.
    pub to: i64,
    /// Why, as a clause for a person.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: Option<&str>, topic: Option<&str>) -> SourceIdentity {
        SourceIdentity { cluster: cluster.map(str::to_owned), topic: topic.map(str::to_owned) }
    }

    #[test]
    fn only_what_is_known_of_both_can_differ() {
        let ours = identity(Some("c"), Some("t"));
        for same in [ours.clone(), identity(None, None), identity(Some("c"), None)] {
            assert_eq!(ours.contradiction(&same), None);
            assert_eq!(same.contradiction(&ours), None);
        }
        let anew = ours.contradiction(&identity(Some("c"), Some("u"))).unwrap();
        assert!(anew.contains("created again") && anew.contains('u'), "{anew}");
        let elsewhere = ours.contradiction(&identity(Some("d"), Some("t"))).unwrap();
        assert!(elsewhere.contains("cluster d"), "{elsewhere}");
    }

    #[test]
    fn what_is_unknown_is_learned_and_what_is_known_stays() {
        let mut ours = identity(Some("c"), None);
        ours.learn(&identity(Some("d"), Some("t")));
        assert_eq!(ours, identity(Some("c"), Some("t")));
    }
}
