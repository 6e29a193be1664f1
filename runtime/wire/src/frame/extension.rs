//! What may stand between a header and its payload, in this order, each only if its flag is set.
//!
//! | flag | bytes | meaning |
//! | --- | ---: | --- |
//! | `REMAINING` | 8 | nanoseconds that the asker still waits |
//! | `TRACE` | 25 | trace 16, span 8, flags 1 |
//! | `CHAIN` | 1 + 8 n | n, 1 to 16; the actors whose handlers wait, outermost first, each as a hash |
//! | `ADDRESSES` | 1 + 8 n | n, 1 to 8; slot 4 and generation 4 in the *receiver's* table of imports |
//! | `PART` | 8 | number of the part 4, length of the whole payload 4 |

use std::time::Duration;

use super::{Flags, Kind};
use crate::fault::Violation;
use crate::{Limit, Limits};

/// What travels beside a payload. All absent by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The time that the asker still waits, in whole nanoseconds.
    pub remaining: Option<Duration>,
    /// The trace that this message belongs to.
    pub trace: Option<TraceContext>,
    /// The asks that this message was sent from within.
    pub chain: AskChain,
    /// The addresses that travel with the payload.
    pub addresses: Addresses,
    /// Set on the first piece of a payload too large for one frame.
    pub part: Option<Part>,
}

/// A trace as W3C's `traceparent` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that sent the message.
    pub span: [u8; 8],
    /// Bit 0: the trace is sampled.
    pub flags: u8,
}

/// Announces a payload that comes in pieces; the first piece is this frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Which of the [`super::Reassembler::PARTS`] unfinished payloads of this link.
    pub number: u32,
    /// Bytes of the whole payload.
    pub total: u32,
}

/// The asks that a message was sent from within, outermost first: who would wait for whom.
///
/// An entry is a hash of the actor's name, the same in every worker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AskChain {
    len: u8,
    entries: [u64; AskChain::MAX],
}

impl AskChain {
    /// The most asks that wait for one another.
    pub const MAX: usize = 16;

    /// Returns the entries, outermost first.
    pub fn entries(&self) -> &[u64] {
        &self.entries[..usize::from(self.len)]
    }

    /// Returns whether this actor already waits: asking it would be a cycle.
    pub fn contains(&self, actor: u64) -> bool {
        self.entries().contains(&actor)
    }

    /// Adds the actor whose handler asks.
    ///
    /// # Errors
    /// `Limit::Chain` if the chain is as long as it may be.
    pub fn push(&mut self, actor: u64) -> Result<(), Limit> {
        let place = self.entries.get_mut(usize::from(self.len)).ok_or(Limit::Chain)?;
        *place = actor;
        self.len += 1;
        Ok(())
    }
}

impl std::fmt::Debug for AskChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

/// Where an address that travels is found in the receiver's table of imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressEntry {
    /// The slot that the sender gave to its actor on this link.
    pub slot: u32,
    /// The generation of that slot.
    pub generation: u32,
}

/// The addresses of one message, in the order of their numbers in the payload.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Addresses {
    len: u8,
    entries: [AddressEntry; Limits::MAX_ADDRESSES as usize],
}

impl Addresses {
    /// Returns the entries in the order of their numbers.
    pub fn entries(&self) -> &[AddressEntry] {
        &self.entries[..usize::from(self.len)]
    }

    /// Adds one.
    ///
    /// # Errors
    /// `Limit::Addresses` if the message has as many as it may.
    pub fn push(&mut self, entry: AddressEntry) -> Result<(), Limit> {
        let place = self.entries.get_mut(usize::from(self.len)).ok_or(Limit::Addresses)?;
        *place = entry;
        self.len += 1;
        Ok(())
    }
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

impl Extensions {
    /// Nothing beside the payload.
    pub const NONE: &'static Extensions = &Extensions {
        remaining: None,
        trace: None,
        chain: AskChain { len: 0, entries: [0; AskChain::MAX] },
        addresses: Addresses {
            len: 0,
            entries: [AddressEntry { slot: 0, generation: 0 }; Limits::MAX_ADDRESSES as usize],
        },
        part: None,
    };

    /// The most bytes that extensions take.
    pub const MAX_BYTES: usize =
        8 + 25 + (1 + 8 * AskChain::MAX) + (1 + 8 * Limits::MAX_ADDRESSES as usize) + 8;

    /// Returns the flags of what is present.
    pub fn flags(&self) -> Flags {
        let flag = |present: bool, flag| if present { flag } else { Flags::NONE };
        flag(self.remaining.is_some(), Flags::REMAINING)
            .union(flag(self.trace.is_some(), Flags::TRACE))
            .union(flag(self.chain.len > 0, Flags::CHAIN))
            .union(flag(self.addresses.len > 0, Flags::ADDRESSES))
            .union(flag(self.part.is_some(), Flags::PART))
    }

    /// Appends the bytes that travel and returns how many they are.
    pub fn write(&self, out: &mut Vec<u8>) -> u16 {
        let start = out.len();
        if let Some(remaining) = self.remaining {
            // More than 584 years are as good as those.
            let nanos = u64::try_from(remaining.as_nanos()).unwrap_or(u64::MAX);
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        if let Some(trace) = &self.trace {
            out.extend_from_slice(&trace.trace);
            out.extend_from_slice(&trace.span);
            out.push(trace.flags);
        }
        if self.chain.len > 0 {
            out.push(self.chain.len);
            self.chain.entries().iter().for_each(|entry| out.extend_from_slice(&entry.to_le_bytes()));
        }
        if self.addresses.len > 0 {
            out.push(self.addresses.len);
            for entry in self.addresses.entries() {
                out.extend_from_slice(&entry.slot.to_le_bytes());
                out.extend_from_slice(&entry.generation.to_le_bytes());
            }
        }
        if let Some(part) = self.part {
            out.extend_from_slice(&part.number.to_le_bytes());
            out.extend_from_slice(&part.total.to_le_bytes());
        }
        u16::try_from(out.len() - start).expect("extensions are at most MAX_BYTES long")
    }

    /// Reads what a peer wrote behind a header of `kind` with `flags`.
    ///
    /// # Errors
    /// The violation, if the bytes are not exactly what the flags announce.
    pub fn parse(kind: Kind, flags: Flags, bytes: &[u8]) -> Result<Extensions, Violation> {
        let mut extensions = Extensions::default();
        if flags == Flags::NONE && bytes.is_empty() {
            return Ok(extensions);
        }
        let found = bytes.len().try_into().unwrap_or(u32::MAX);
        let short = Violation::ExtensionLength { kind, found };
        let mut rest = Bytes(bytes);
        extensions.read(flags, &mut rest).ok_or(short.clone())?;
        // A list that is flagged is not empty, so that each value has one form.
        if rest.0.is_empty() && extensions.flags() == flags { Ok(extensions) } else { Err(short) }
    }

    fn read(&mut self, flags: Flags, rest: &mut Bytes<'_>) -> Option<()> {
        if flags.has(Flags::REMAINING) {
            self.remaining = Some(Duration::from_nanos(u64::from_le_bytes(rest.take()?)));
        }
        if flags.has(Flags::TRACE) {
            let (trace, span, [flags]) = (rest.take()?, rest.take()?, rest.take()?);
            self.trace = Some(TraceContext { trace, span, flags });
        }
        if flags.has(Flags::CHAIN) {
            let [count] = rest.take()?;
            for _ in 0..count {
                self.chain.push(u64::from_le_bytes(rest.take()?)).ok()?;
            }
        }
        if flags.has(Flags::ADDRESSES) {
            let [count] = rest.take()?;
            for _ in 0..count {
                self.addresses.push(AddressEntry { slot: rest.u32()?, generation: rest.u32()? }).ok()?;
            }
        }
        if flags.has(Flags::PART) {
            self.part = Some(Part { number: rest.u32()?, total: rest.u32()? });
        }
        Some(())
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Extensions {
        let mut extensions = Extensions {
            remaining: Some(Duration::from_millis(1500)),
            trace: Some(TraceContext { trace: [7; 16], span: [9; 8], flags: 1 }),
            part: Some(Part { number: 2, total: 70_000 }),
            ..Extensions::default()
        };
        for actor in 0..AskChain::MAX as u64 {
            extensions.chain.push(actor).unwrap();
        }
        for slot in 0..u32::from(Limits::MAX_ADDRESSES) {
            extensions.addresses.push(AddressEntry { slot, generation: 1 }).unwrap();
        }
        extensions
    }

    #[test]
    fn the_fullest_extensions_come_back_and_one_entry_more_is_refused() {
        let mut extensions = full();
        let mut bytes = Vec::new();
        assert_eq!(usize::from(extensions.write(&mut bytes)), Extensions::MAX_BYTES);
        assert_eq!(Extensions::parse(Kind::Ask, extensions.flags(), &bytes), Ok(extensions));
        assert_eq!(extensions.chain.push(99), Err(Limit::Chain));
        assert_eq!(extensions.addresses.push(AddressEntry::default()), Err(Limit::Addresses));
    }

    #[test]
    fn every_cut_and_every_extra_byte_is_a_violation() {
        let extensions = full();
        let mut bytes = Vec::new();
        extensions.write(&mut bytes);
        for end in 0..bytes.len() {
            assert!(Extensions::parse(Kind::Ask, extensions.flags(), &bytes[..end]).is_err(), "cut at {end}");
        }
        bytes.push(0);
        assert!(Extensions::parse(Kind::Ask, extensions.flags(), &bytes).is_err());
    }

    #[test]
    fn a_flagged_but_empty_list_is_a_violation() {
        assert!(Extensions::parse(Kind::Ask, Flags::CHAIN, &[0]).is_err());
        assert!(Extensions::parse(Kind::Ask, Flags::ADDRESSES, &[0]).is_err());
        assert!(Extensions::parse(Kind::Ask, Flags::CHAIN, &[17]).is_err());
    }

    #[test]
    fn a_longer_wait_than_nanoseconds_can_say_is_cut() {
        let extensions = Extensions { remaining: Some(Duration::MAX), ..Extensions::default() };
        let mut bytes = Vec::new();
        extensions.write(&mut bytes);
        let back = Extensions::parse(Kind::Ask, extensions.flags(), &bytes).unwrap();
        assert_eq!(back.remaining, Some(Duration::from_nanos(u64::MAX)));
    }
}
