//! What a life of a worker leaves unread to the next one: messages in memory that the supervisor keeps meanwhile.
//!
//! | bytes | meaning |
//! | ---: | --- |
//! | 8 | `BWHAND`, zero, the version 1 |
//! | | for each message, in the order in which it waits: |
//! | 4 × 2 | lengths of the names of actor, protocol, method, and of the worker that sent it, or zero for its own |
//! | 4 | length of the payload |
//! | 16 | fingerprint of the method |
//! | | the names one behind the other, and the payload |
//!
//! Numbers are little endian. The life that wrote it may have been taken over, so whoever reads it takes it for hostile: nothing is
//! allocated for what it announces, and what is not whole is nothing at all.

use std::str::Utf8Error;

use thiserror::Error;

use crate::schema::Fingerprint;

/// The bytes that one life may leave to the next.
pub const HANDOFF_BYTES: usize = 16 << 20;
/// The messages that one life may leave to the next.
pub const HANDOFF_MESSAGES: usize = 65_536;

const MAGIC: &[u8; 8] = b"BWHAND\0\x01";
const NAMES: usize = 4;

/// A message that nobody has begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread<'a> {
    /// The actor that it is for.
    pub actor: &'a str,
    /// Its protocol.
    pub protocol: &'a str,
    /// Its method.
    pub method: &'a str,
    /// What the life that accepted it took the method to be.
    pub fingerprint: Fingerprint,
    /// The worker that sent it; `None` is the same one.
    pub sender: Option<&'a str>,
    /// Its arguments, encoded.
    pub payload: &'a [u8],
}

/// Messages as they are written, within the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
    messages: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: MAGIC.to_vec(), messages: 0 }
    }
}

/// Why bytes are nothing that a life of ours has left. The writer's fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandoffError {
    /// It begins with something else.
    #[error("it does not begin as messages of this version do")]
    Version,
    /// There is more of it than may be.
    #[error("more than {HANDOFF_MESSAGES} messages or {HANDOFF_BYTES} bytes")]
    TooMany,
    /// It ends within a message.
    #[error("message {message} is cut short")]
    Cut {
        /// Its number, from 1.
        message: usize,
    },
    /// A name is no text.
    #[error("a name in message {message} is no text")]
    Name {
        /// Its number, from 1.
        message: usize,
    },
}

impl Writer {
    /// Returns how many messages there are.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Adds a message behind the others. Returns `false` if it does not fit.
    #[must_use]
    pub fn add(&mut self, unread: &Unread<'_>) -> bool {
        let names = [unread.actor, unread.protocol, unread.method, unread.sender.unwrap_or_default()];
        let lengths = names.map(|name| u16::try_from(name.len()));
        let (Ok(payload), false) = (u32::try_from(unread.payload.len()), lengths.iter().any(Result::is_err))
        else {
            return false;
        };
        let named: usize = names.iter().map(|name| name.len()).sum();
        let whole = HEAD + named + unread.payload.len();
        if self.messages >= HANDOFF_MESSAGES || self.bytes.len() + whole > HANDOFF_BYTES {
            return false;
        }
        lengths.into_iter().flatten().for_each(|length| self.bytes.extend(length.to_le_bytes()));
        self.bytes.extend(payload.to_le_bytes());
        self.bytes.extend(unread.fingerprint.0);
        names.iter().for_each(|name| self.bytes.extend(name.as_bytes()));
        self.bytes.extend(unread.payload);
        self.messages += 1;
        true
    }

    /// Returns what is to be kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what a life has left, in the order in which it waited.
///
/// # Errors
/// See [`HandoffError`]: then not one of the messages is to be believed.
pub fn read(bytes: &[u8]) -> Result<impl Iterator<Item = Unread<'_>>, HandoffError> {
    if bytes.len() > HANDOFF_BYTES {
        return Err(HandoffError::TooMany);
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(HandoffError::Version)?;
    for (message, unread) in (1..).zip(Cut(rest)) {
        if message > HANDOFF_MESSAGES {
            return Err(HandoffError::TooMany);
        }
        match unread {
            Some(Ok(_)) => {}
            Some(Err(_)) => return Err(HandoffError::Name { message }),
            None => return Err(HandoffError::Cut { message }),
        }
    }
    Ok(Cut(rest).flatten().flatten())
}

/// The lengths and the fingerprint.
const HEAD: usize = 2 * NAMES + 4 + 16;

/// What is not read yet.
struct Cut<'a>(&'a [u8]);

impl<'a> Iterator for Cut<'a> {
    /// `None` for one that is not whole, behind which nothing is.
    type Item = Option<Result<Unread<'a>, Utf8Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut rest = std::mem::take(&mut self.0);
        let unread = message(&mut rest);
        if unread.is_some() {
            self.0 = rest;
        }
        Some(unread)
    }
}

/// Takes one message off the front; `None` if it is not whole.
fn message<'a>(rest: &mut &'a [u8]) -> Option<Result<Unread<'a>, Utf8Error>> {
    let mut lengths = [0; NAMES];
    for length in &mut lengths {
        *length = usize::from(u16::from_le_bytes(*rest.split_off(..2)?.first_chunk()?));
    }
    let payload = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?) as usize;
    let fingerprint = Fingerprint(*rest.split_off(..16)?.first_chunk()?);
    let mut names = [&[][..]; NAMES];
    for (name, length) in names.iter_mut().zip(lengths) {
        *name = rest.split_off(..length)?;
    }
    let payload = rest.split_off(..payload)?;
    let named = || -> Result<_, Utf8Error> {
        let [actor, protocol, method, sender] = names;
        let sender = Some(str::from_utf8(sender)?).filter(|sender| !sender.is_empty());
        let (actor, protocol) = (str::from_utf8(actor)?, str::from_utf8(protocol)?);
        Ok(Unread { actor, protocol, method: str::from_utf8(method)?, fingerprint, sender, payload })
    };
    Some(named())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (String, String, String, String, [u8; 16], Vec<u8>);

    fn unread(owned: &Owned) -> Unread<'_> {
        let (actor, protocol, method, sender, fingerprint, payload) = owned;
        let sender = Some(sender.as_str()).filter(|sender| !sender.is_empty());
        Unread { actor, protocol, method, fingerprint: Fingerprint(*fingerprint), sender, payload }
    }

    fn written(messages: &[Owned]) -> Vec<u8> {
        let mut writer = Writer::default();
        for message in messages {
            assert!(writer.add(&unread(message)));
        }
        assert_eq!(writer.messages(), messages.len());
        writer.into_bytes()
    }

    fn count(bytes: &[u8]) -> Result<usize, HandoffError> {
        read(bytes).map(Iterator::count)
    }

    fn some() -> impl Strategy<Value = Vec<Owned>> {
        let name = || "[a-z/é]{0,12}";
        let payload = prop::collection::vec(any::<u8>(), 0..60);
        prop::collection::vec((name(), name(), name(), name(), any::<[u8; 16]>(), payload), 0..20)
    }

    proptest! {
        #[test]
        fn messages_come_back_in_order(messages in some()) {
            let bytes = written(&messages);
            let back: Vec<_> = read(&bytes).unwrap().collect();
            prop_assert_eq!(back, messages.iter().map(unread).collect::<Vec<_>>());
        }

        /// Cut between two messages it is whole: that of fewer messages.
        #[test]
        fn what_is_cut_within_a_message_is_nothing_at_all(messages in some()) {
            let ends: Vec<_> = (0..=messages.len()).map(|n| written(&messages[..n]).len()).collect();
            let bytes = written(&messages);
            for end in 0..bytes.len() {
                let whole = ends.iter().position(|whole| *whole == end);
                prop_assert_eq!(count(&bytes[..end]).ok(), whole);
            }
        }

        #[test]
        fn whatever_bytes_there_are_reading_ends_and_returns_parts_of_them(
            mut bytes in prop::collection::vec(any::<u8>(), 0..400),
            is_ours in any::<bool>(),
        ) {
            if is_ours {
                bytes.splice(0..0, *MAGIC);
            }
            if let Ok(messages) = read(&bytes) {
                let held: usize = messages.map(|unread| HEAD + unread.payload.len() + unread.actor.len()).sum();
                prop_assert!(held <= bytes.len());
            }
        }
    }

    #[test]
    fn a_length_that_reaches_beyond_the_end_allocates_nothing() {
        let mut bytes = written(&[("a".into(), "b".into(), "c".into(), String::new(), [7; 16], vec![1])]);
        bytes[MAGIC.len() + 8..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(count(&bytes), Err(HandoffError::Cut { message: 1 }));
    }

    #[test]
    fn a_name_that_is_no_text_spoils_all() {
        let mut bytes = written(&[("a".into(), "b".into(), "c".into(), String::new(), [7; 16], vec![])]);
        *bytes.last_mut().unwrap() = 0xff;
        assert_eq!(count(&bytes), Err(HandoffError::Name { message: 1 }));
    }

    #[test]
    fn as_many_messages_as_may_be_and_not_one_more() {
        let empty = (String::new(), String::new(), String::new(), String::new(), [0; 16], vec![]);
        let mut writer = Writer::default();
        for _ in 0..HANDOFF_MESSAGES {
            assert!(writer.add(&unread(&empty)));
        }
        assert!(!writer.add(&unread(&empty)));
        let mut bytes = writer.into_bytes();
        assert_eq!(count(&bytes), Ok(HANDOFF_MESSAGES));
        bytes.extend([0; HEAD]);
        assert_eq!(count(&bytes), Err(HandoffError::TooMany));
    }

    #[test]
    fn as_many_bytes_as_may_be_and_not_one_more() {
        let room = HANDOFF_BYTES - MAGIC.len() - HEAD;
        let of = |length: usize| {
            (String::new(), String::new(), String::new(), String::new(), [0; 16], vec![0; length])
        };
        assert!(!Writer::default().add(&unread(&of(room + 1))));
        let bytes = written(&[of(room)]);
        assert_eq!((bytes.len(), count(&bytes)), (HANDOFF_BYTES, Ok(1)));
        let longer = [bytes, vec![0]].concat();
        assert_eq!(count(&longer), Err(HandoffError::TooMany));
    }

    #[test]
    fn a_name_that_is_too_long_for_its_length_is_not_written() {
        let long = ("a".repeat(65_536), String::new(), String::new(), String::new(), [0; 16], vec![]);
        assert!(!Writer::default().add(&unread(&long)));
    }

    #[test]
    fn nothing_and_another_version_are_refused() {
        assert_eq!(count(&[]), Err(HandoffError::Version));
        assert_eq!(count(b"BWHAND\0\x02"), Err(HandoffError::Version));
        assert_eq!(count(MAGIC), Ok(0));
    }
}
