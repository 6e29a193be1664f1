//! Text for people: broken where a terminal of 80 columns ends.

/// The columns of the narrowest terminal that text is broken for.
const COLUMNS: usize = 80;

/// Returns lines of cells, each column as wide as its widest cell. `paint` may put colours around a cell that is padded: it is
/// told the line and the column.
pub(crate) fn aligned<const N: usize>(
    lines: &[[String; N]],
    paint: impl Fn(usize, usize, String) -> String,
) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            // Colour comes after the padding, so that it does not count as width.
            text += &paint(number, column, format!("{cell:<width$}  ", width = widths[column]));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

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
