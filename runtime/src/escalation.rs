//! How it came that an actor without a parent gave up, in one line.

use std::fmt::Write;

use crate::name::ActorName;
use crate::outcome::Cause;

/// The most bytes of a chain: it has to fit into a report that was laid out before anything failed.
pub(crate) const CHAIN_BYTES: usize = 1024;

/// Returns the names from the actor that gave up down to the one that failed first, and at the end why that one did.
///
/// Of a chain that is too long the middle is left out: both ends matter more.
pub(crate) fn chain(actor: &ActorName, cause: &Cause) -> String {
    let mut text = format!("{actor} gave up");
    let mut cause = cause;
    while let Cause::ChildGaveUp { child, cause: below } = cause {
        let _ = write!(text, ": its child {child} gave up");
        cause = below;
    }
    let _ = write!(text, ": {cause}");
    if let Cause::Panicked { location: Some(place), .. } = cause {
        let _ = write!(text, ", at {place}");
    }
    // One line, whatever a panic said.
    let text = text.replace(char::is_control, " ");
    if text.len() <= CHAIN_BYTES {
        return text;
    }
    let half = (CHAIN_BYTES - CUT.len()) / 2;
    let (before, after) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}{CUT}{}", &text[..before], &text[after..])
}

const CUT: &str = " [..] ";

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked(message: &str) -> Cause {
        Cause::Panicked { message: message.into(), location: Some("src/reader.rs:7:9".into()) }
    }

    #[test]
    fn a_chain_names_everyone_and_ends_with_the_first_cause() {
        let cause = Cause::ChildGaveUp {
            child: "front/shelf#4".into(),
            cause: Box::new(Cause::ChildGaveUp {
                child: "front/shelf/reader#6".into(),
                cause: Box::new(panicked("no such\nbook")),
            }),
        };
        assert_eq!(
            chain(&ActorName::new("front", None, "library", Some(2)), &cause),
            "front/library#2 gave up: its child front/shelf#4 gave up: its child front/shelf/reader#6 gave up: \
             panicked: no such book, at src/reader.rs:7:9"
        );
    }

    #[test]
    fn a_chain_keeps_both_ends_within_its_bound() {
        let name = ActorName::new("front", None, "library", Some(2));
        for length in [0, 900, 1000, 5000] {
            let text = chain(&name, &panicked(&"\u{e9}".repeat(length)));
            assert!(text.len() <= CHAIN_BYTES, "{length}");
            assert!(text.starts_with("front/library#2 gave up: panicked: "), "{text}");
            assert!(text.ends_with(", at src/reader.rs:7:9"), "{text}");
        }
    }
}
