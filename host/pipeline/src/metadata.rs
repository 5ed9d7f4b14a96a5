//! What a column holds of a record beside its JSON, as `from` writes it.

use super::suggest;
use sluicegate_model::schema::{HEADER, Metadata};

/// What a column may be made of beside the JSON.
const METADATA: [&str; 8] =
    ["topic", "partition", "offset", "timestamp", "key", "headers", "header:NAME", "path"];

/// What other systems call what they know of a record, and our name for it.
const FOREIGN_METADATA: [(&str, &str); 5] = [
    ("file", "path"),
    ("file.path", "path"),
    ("file.name", "path"),
    ("file_path", "path"),
    ("filename", "path"),
];

/// What of a record beside its value `text` names.
///
/// # Errors
/// A sentence with the text and what would be right.
pub(crate) fn parse(text: &str) -> Result<Metadata, String> {
    let metadata = match text {
        "topic" => Metadata::Topic,
        "path" => Metadata::Path,
        "partition" => Metadata::Partition,
        "offset" => Metadata::Offset,
        "timestamp" => Metadata::Timestamp,
        "key" => Metadata::Key,
        "headers" => Metadata::Headers,
        _ => match text.strip_prefix(HEADER) {
            Some(name) if !name.is_empty() => Metadata::Header(name.to_owned()),
            _ => return Err(unknown_metadata(text)),
        },
    };
    Ok(metadata)
}

fn unknown_metadata(text: &str) -> String {
    let lower = text.to_lowercase();
    let foreign = FOREIGN_METADATA.iter().find(|(name, _)| *name == lower).map(|(_, ours)| *ours);
    let single = text.strip_prefix("headers:").map(|name| format!("{HEADER}{name}"));
    let ours = || foreign.or_else(|| suggest::nearest(&lower, METADATA)).map(str::to_owned);
    let hint = single.or_else(ours);
    let hint = hint.map(|ours| format!("; did you mean \"{ours}\"?")).unwrap_or_default();
    format!(
        "\"{text}\" is nothing that a record has beside its JSON: topic, partition, offset, timestamp, key, headers, header:NAME or path{hint}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_has_beside_its_json_is_shown_as_it_is_written() {
        for text in METADATA {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        let header = Metadata::Header("a:b".to_owned());
        assert_eq!(parse("header:a:b"), Ok(header), "the name is the rest");
        for (text, ours) in [
            ("Offset", "offset"),
            ("ofset", "offset"),
            ("header:", "headers"),
            ("headers:trace-id", "header:trace-id"),
            ("file.path", "path"),
        ] {
            let hint = format!("did you mean \"{ours}\"?");
            assert!(parse(text).unwrap_err().ends_with(&hint), "{text}");
        }
        assert!(parse("leader-epoch").unwrap_err().ends_with("or path"));
    }
}
