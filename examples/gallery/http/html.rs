//! Text and addresses inside a page.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A text that is shown as it is, whatever it holds.
pub(crate) struct Text<'a>(pub(crate) &'a str);

/// One component of an address.
pub(crate) struct Component<'a>(pub(crate) &'a str);

/// A number of bytes for people.
pub(crate) struct Size(pub(crate) u64);

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => write!(f, "{c}"),
        })
    }
}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utf8_percent_encode(self.0, UNRESERVED))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..1_000 => write!(f, "{bytes} B"),
            bytes @ 1_000..1_000_000 => write!(f, "{} kB", bytes / 1_000),
            bytes => write!(f, "{:.1} MB", bytes as f64 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_a_page() {
        let name = "\"><script>alert('&')</script>.png";
        assert_eq!(
            Text(name).to_string(),
            "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;.png"
        );
        assert_eq!(Component("a b/../?#%ü.png").to_string(), "a%20b%2F..%2F%3F%23%25%C3%BC.png");
    }

    #[test]
    fn sizes_have_the_unit_that_people_expect() {
        assert_eq!([999, 1_000, 2_560_000].map(|bytes| Size(bytes).to_string()), ["999 B", "1 kB", "2.6 MB"]);
    }
}
