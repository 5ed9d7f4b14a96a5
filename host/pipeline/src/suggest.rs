//! «Did you mean …?»: the known word nearest to a mistyped one.

use strsim::osa_distance;

/// More edits than this are another word, not a slip.
const EDITS_MAX: usize = 3;

/// The known word that `word` most likely stands for: the nearest by edits, or the only one that begins with
/// it. None when nothing is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // A short word has few letters to recognise it by: one edit in three letters.
    let edits_max = EDITS_MAX.min(word.chars().count().div_ceil(3));
    known
        .into_iter()
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| {
            *edits <= edits_max || (word.len() >= 3 && candidate.to_lowercase().starts_with(&word))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?` with the nearest word as `quote` shows it, or nothing.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let known = ["column", "idle_after", "max_out_of_orderness"];
        assert_eq!(nearest("colunm", known), Some("column"));
        assert_eq!(nearest("max_out_of_orderiness", known), Some("max_out_of_orderness"));
        assert_eq!(nearest("idle", known), Some("idle_after"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("parallelism", ["column", "idle_after"]), None);
        assert_eq!(nearest("ts", ["at", "id"]), None);
    }

    #[test]
    fn neighbours_swapped_are_one_edit() {
        // A word of two letters is allowed one.
        assert_eq!(nearest("di", ["id"]), Some("id"));
        assert_eq!(nearest("dx", ["id"]), None);
    }
}
