//! The nearest of some words to one that was mistyped.

/// Returns the candidate that is nearest to `word`, if one is near enough to have been meant.
///
/// Near enough is one edit for a short word and up to a third of its length for a long one; an edit
/// inserts, removes or replaces a character, or exchanges two neighbours.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(MAX_WORD).collect();
    let reach = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.chars().collect::<Vec<_>>()), candidate))
        .filter(|(edits, candidate)| *edits <= reach && *edits < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Longer words than this are no typing mistakes of anything.
const MAX_WORD: usize = 64;

/// Counts the edits between two words, upper and lower case being the same.
fn distance(a: &[char], b: &[char]) -> usize {
    let same = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut edits = (last[j] + usize::from(!same(i, j))).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j) {
                edits = edits.min(before[j - 1] + 1);
            }
            row.push(edits);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["instances", "needs", "restart", "read_only_paths", "user"];

    #[test]
    fn a_typing_mistake_finds_its_word() {
        for (typed, meant) in [
            ("instancse", "instances"),
            ("need", "needs"),
            ("Restart", "restart"),
            ("readonly_path", "read_only_paths"),
            ("usr", "user"),
        ] {
            assert_eq!(nearest(typed, KEYS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn another_word_finds_nothing() {
        for typed in ["", "x", "colour", "unser_nam", &"restart".repeat(50)] {
            assert_eq!(nearest(typed, KEYS), None, "{typed}");
        }
        assert_eq!(nearest("a", ["b", "c"]), None, "a word of one letter resembles every other");
    }

    #[test]
    fn the_distance_counts_single_edits() {
        let edits =
            |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!([edits("", "abc"), edits("abc", "abc"), edits("kitten", "sitting")], [3, 0, 3]);
        assert_eq!([edits("ab", "ba"), edits("abcd", "abdc"), edits("ABC", "abc")], [1, 1, 0]);
    }
}
