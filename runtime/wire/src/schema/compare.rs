//! Comparing what two ends mean by a method, and showing where they differ.

use std::fmt;

use super::{Fingerprint, MethodSchema, MethodShape};

/// Two ends mean different things by one method. Nobody's guilt: they were built from different sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The method's name here.
    pub method: String,
    /// The shape here.
    pub ours: String,
    /// The shape there, as the other end says; shown with its control characters escaped.
    pub theirs: String,
}

/// Compares a method as we know it with what the other end says of it.
///
/// ```
/// use bailiwick_wire::schema::{MethodSchema, compare};
/// let ours = MethodSchema::build("resize").argument::<u16>("width").reply::<()>();
/// let theirs = MethodSchema::build("resize").argument::<u32>("width").reply::<()>();
/// let disagreement = compare(&ours, &theirs.to_shape()).unwrap_err();
/// assert_eq!(disagreement.to_string(), "\
/// the two ends disagree about the method `resize`
///   here:  resize(width: u16) -> ()
///   there: resize(width: u32) -> ()
///                         ^ first difference");
/// ```
///
/// # Errors
/// Both shapes, if the fingerprints differ.
pub fn compare(ours: &MethodSchema, theirs: &MethodShape) -> Result<(), Box<Disagreement>> {
    // The text is what a person is shown, the fingerprint what the other end is bound by.
    if ours.fingerprint == theirs.fingerprint {
        return Ok(());
    }
    Err(Box::new(Disagreement {
        method: ours.name.to_owned(),
        ours: ours.shape.clone(),
        theirs: theirs.shape.clone(),
    }))
}

impl std::error::Error for Disagreement {}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the two ends disagree about the method `{}`", self.method)?;
        let theirs = printable(&self.theirs);
        if Fingerprint::of(&self.ours) == Fingerprint::of(&theirs) {
            return write!(
                f,
                ", though both describe it as\n  {}",
                self.ours.trim_end().replace('\n', "\n  ")
            );
        }
        let (ours, theirs) = (rows(&self.ours), rows(&theirs));
        for row in 0..ours.len().max(theirs.len()) {
            match (ours.get(row), theirs.get(row)) {
                (Some(here), Some(there)) if here == there => write!(f, "\n  both:  {here}")?,
                (here, there) => return write_difference(f, here, there),
            }
        }
        Ok(())
    }
}

fn write_difference(f: &mut fmt::Formatter<'_>, here: Option<&&str>, there: Option<&&str>) -> fmt::Result {
    let (here, there) = (here.copied().unwrap_or("(nothing)"), there.copied().unwrap_or("(nothing)"));
    let same = here.chars().zip(there.chars()).take_while(|(ours, theirs)| ours == theirs).count();
    write!(f, "\n  here:  {here}\n  there: {there}\n         {:same$}^ first difference", "")
}

fn rows(shape: &str) -> Vec<&str> {
    shape.lines().collect()
}

/// Escapes what a hostile peer could put into a person's terminal.
fn printable(text: &str) -> String {
    let plain = |character: &char| matches!(character, ' '..='~' | '\n');
    text.chars()
        .flat_map(|character| {
            let escaped = (!plain(&character)).then(|| character.escape_default());
            std::iter::once(character).filter(plain).chain(escaped.into_iter().flatten())
        })
        .collect()
}
