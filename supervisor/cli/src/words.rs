//! Text for people: broken where a terminal of 80 columns ends.

/// The columns of the narrowest terminal that text is broken for.
const COLUMNS: usize = 80;

/// Returns a text behind a label, broken between words, each further line below the first; nothing is ever cut. Ends with
/// a newline.
pub(crate) fn wrapped(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let mut out = label.to_owned();
    let mut column = indent;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent {
            if column + 1 + width > COLUMNS {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column += width;
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_a_word_that_is_too_long_is_not_cut() {
        let long = "x".repeat(100);
        let text = format!("{} {long} end", "word ".repeat(20));
        let shown = wrapped("label: ", &text);
        assert!(shown.lines().all(|line| line.chars().count() <= 80 || line.trim() == long), "{shown}");
        assert!(shown.lines().skip(1).all(|line| line.starts_with("       ")), "{shown}");
        let back: Vec<&str> = shown["label: ".len()..].split_whitespace().collect();
        assert_eq!(back, text.split_whitespace().collect::<Vec<_>>());
        assert_eq!((wrapped("label", ""), wrapped("", "a")), ("label\n".into(), "a\n".into()));
    }
}
