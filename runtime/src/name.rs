//! Names of actors as people read and write them: `worker[.instance]/actor[/child][#generation]`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name of an actor. A name is no authority: nothing can be sent to it.
///
/// ```
/// use bailiwick::ActorName;
///
/// let name: ActorName = "shrinker.2/thumbs#3".parse().unwrap();
/// assert_eq!((name.worker(), name.instance(), name.path()), ("shrinker", Some(2), "thumbs"));
/// assert_eq!(name.generation(), Some(3));
/// assert_eq!(name.to_string(), "shrinker.2/thumbs#3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorName {
    worker: String,
    instance: Option<u16>,
    path: String,
    generation: Option<u32>,
}

impl ActorName {
    /// Returns the worker's name.
    #[must_use]
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Returns which process of the worker; `None` where the name leaves it open.
    #[must_use]
    pub fn instance(&self) -> Option<u16> {
        self.instance
    }

    /// Returns the actor's name within its worker, children after their parents: `pool/job-3`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns which incarnation; `None` where the name leaves it open.
    #[must_use]
    pub fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Returns the name of the logical actor, whichever incarnation is alive.
    #[must_use]
    pub fn without_generation(self) -> Self {
        Self { generation: None, ..self }
    }

    pub(crate) fn new(worker: &str, instance: Option<u16>, path: &str, generation: Option<u32>) -> Self {
        Self { worker: worker.to_owned(), instance, path: path.to_owned(), generation }
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.worker)?;
        if let Some(instance) = self.instance {
            write!(f, ".{instance}")?;
        }
        write!(f, "/{}", self.path)?;
        if let Some(generation) = self.generation {
            write!(f, "#{generation}")?;
        }
        Ok(())
    }
}

/// What is wrong with a text that should be an actor's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no `/` between worker and actor.
    #[error("`{text}` names no actor, expected `worker/actor`")]
    NoActor {
        /// The text.
        text: String,
    },
    /// A part is empty or holds a character that names do not have.
    #[error("`{part}` is no name: expected letters, digits, `-` and `_`")]
    BadPart {
        /// The part.
        part: String,
    },
    /// The instance or the generation is no number from 1.
    #[error("`{part}` is no number from 1 to {max}")]
    BadNumber {
        /// The part.
        part: String,
        /// The largest number.
        max: u32,
    },
}

impl FromStr for ActorName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (worker, path) =
            text.split_once('/').ok_or_else(|| NameError::NoActor { text: text.to_owned() })?;
        let (worker, instance) = split_worker(worker)?;
        let (path, generation) = match path.split_once('#') {
            Some((path, number)) => (path, Some(parse_number(number, u32::MAX)?)),
            None => (path, None),
        };
        for part in path.split('/') {
            check_part(part)?;
        }
        Ok(Self { worker: worker.to_owned(), instance, path: path.to_owned(), generation })
    }
}

/// What [`Context::peer`](crate::Context::peer) is asked for: `worker[.instance][/actor]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerName<'a> {
    pub(crate) worker: &'a str,
    pub(crate) instance: Option<u16>,
    pub(crate) actor: Option<&'a str>,
}

impl<'a> PeerName<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, NameError> {
        let (worker, actor) = match text.split_once('/') {
            Some((worker, actor)) => (worker, Some(actor)),
            None => (text, None),
        };
        let (worker, instance) = split_worker(worker)?;
        if let Some(actor) = actor {
            check_part(actor)?;
        }
        Ok(Self { worker, instance, actor })
    }
}

/// Splits `worker[.instance]`.
fn split_worker(text: &str) -> Result<(&str, Option<u16>), NameError> {
    let (worker, instance) = match text.split_once('.') {
        Some((worker, number)) => (worker, Some(parse_number(number, u16::MAX.into())?)),
        None => (text, None),
    };
    check_part(worker)?;
    // The limit that was passed makes the conversion exact.
    Ok((worker, instance.map(|number| u16::try_from(number).unwrap_or(u16::MAX))))
}

/// Checks one component of a name: what `worker`, `actor` and `child` may be called.
pub(crate) fn check_part(part: &str) -> Result<(), NameError> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if part.is_empty() || !part.chars().all(good) {
        return Err(NameError::BadPart { part: part.to_owned() });
    }
    Ok(())
}

fn parse_number(text: &str, max: u32) -> Result<u32, NameError> {
    let bad = || NameError::BadNumber { part: text.to_owned(), max };
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let number = text.parse().map_err(|_| bad())?;
    if number == 0 || number > max { Err(bad()) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_back_to_itself() {
        for text in ["a/b", "a.1/b", "a.65535/b", "a/b/c-1/d_2", "a/b#1", "web.2/front/conn-17#4294967295"] {
            let name: ActorName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn a_peer_may_be_named_with_and_without_instance_and_actor() {
        let parsed = |text| PeerName::parse(text).map(|peer| (peer.worker, peer.instance, peer.actor));
        assert_eq!(parsed("shrinker"), Ok(("shrinker", None, None)));
        assert_eq!(parsed("shrinker.2"), Ok(("shrinker", Some(2), None)));
        assert_eq!(parsed("shrinker.2/thumbs"), Ok(("shrinker", Some(2), Some("thumbs"))));
        assert!(parsed("shrinker/").is_err() && parsed("/thumbs").is_err() && parsed("a/b/c").is_err());
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_part() {
        for (text, said) in [
            ("shrinker", "`shrinker` names no actor, expected `worker/actor`"),
            ("a/", "`` is no name: expected letters, digits, `-` and `_`"),
            ("a b/c", "`a b` is no name: expected letters, digits, `-` and `_`"),
            ("a.0/c", "`0` is no number from 1 to 65535"),
            ("a.65536/c", "`65536` is no number from 1 to 65535"),
            ("a.+1/c", "`+1` is no number from 1 to 65535"),
            ("a/c#x", "`x` is no number from 1 to 4294967295"),
            ("a/c//d", "`` is no name: expected letters, digits, `-` and `_`"),
        ] {
            assert_eq!(text.parse::<ActorName>().unwrap_err().to_string(), said);
        }
    }
}
