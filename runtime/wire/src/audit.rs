//! What is recorded of whoever broke a rule of a link, or of its line to the supervisor: which rule, and what the frame said of
//! itself. Of a payload only a hash is kept, for its bytes may be secrets.

use std::fmt;

use crate::fault::{Class, Fault};
use crate::frame::{HEADER_BYTES, Header};
use crate::schema::Fingerprint;

/// What the end of a link that found a fault knows of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The header as it travelled, or the first bytes of a packet that is none; zeros where no frame was at fault.
    pub header: [u8; HEADER_BYTES],
    /// A hash of the payload.
    pub hash: [u8; 16],
}

/// One violation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    /// The rule that was broken; `None` is one of the line to the supervisor.
    pub fault: Option<Fault>,
    /// Whether that was answered by SIGKILL; otherwise the link alone was closed.
    pub is_killed: bool,
    /// What is known of the frame.
    pub evidence: Evidence,
    /// The process, 0 where it was not known any more.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Violations of the same worker before this one that were counted and not recorded.
    pub unrecorded: u64,
}

impl Evidence {
    /// Returns what is kept of a packet or frame that begins with these bytes, and of its payload.
    pub fn of(start: &[u8], payload: &[u8]) -> Self {
        let mut header = [0; HEADER_BYTES];
        let length = start.len().min(HEADER_BYTES);
        header[..length].copy_from_slice(&start[..length]);
        Self { header, hash: Fingerprint::of_bytes(payload).0 }
    }

    /// Returns the header, if it is one that an encoder of ours could have written.
    pub fn frame(&self) -> Option<Header> {
        Header::parse(&self.header).ok()
    }
}

impl Violation {
    /// Returns the accusation of an end of a link.
    pub fn of_link(code: u32, evidence: Evidence) -> Self {
        let fault = u8::try_from(code).ok().and_then(Fault::from_code);
        Self { fault, evidence, ..Self::default() }
    }

    /// Returns it as one that is answered by SIGKILL.
    #[must_use]
    pub fn killed(self) -> Self {
        Self { is_killed: true, ..self }
    }

    /// Says what follows from the accusation of the end that may accuse.
    pub fn verdict(&self, accused: &str, by: &str) -> String {
        let what = if self.is_killed { "is killed" } else { "goes free" };
        format!("{accused} {what}: {by} accuses it: {self}")
    }

    /// Says that one end closed a link for what it says of the other.
    pub fn of_one_closed(&self, by: &str, peer: &str) -> String {
        format!("{by} closed its link with {peer}: {self}")
    }

    /// Returns the word for the rule that was broken.
    pub fn rule(&self) -> &'static str {
        self.fault.map_or("control", Fault::word)
    }

    /// Returns what follows from such a fault.
    pub fn class(&self) -> Class {
        self.fault.map_or(Class::Violation, Fault::class)
    }
}

/// The rule, and the frame as far as it is one.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Some(fault) => write!(f, "{fault}")?,
            None => f.write_str("its words to the supervisor are none")?,
        }
        if let Some(Header { kind, length, slot, method, fds, .. }) = self.evidence.frame() {
            write!(f, " ({kind:?}, slot {slot}, method {method}, {length} bytes, {fds} descriptors)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Kind;

    #[test]
    fn a_violation_says_which_rule_was_broken_by_which_frame() {
        let header = Header { slot: 1, method: 7, length: 120, correlation: 9, ..Header::new(Kind::Ask) };
        let evidence = Evidence::of(&header.to_bytes(), b"secret");
        let violation = Violation::of_link(Fault::MethodNotGranted as u32, evidence);
        let text = "method was never granted (Ask, slot 1, method 7, 120 bytes, 0 descriptors)";
        assert_eq!((violation.to_string().as_str(), violation.rule()), (text, "method_not_granted"));
        assert_eq!(evidence.hash, Fingerprint::of("secret").0);
    }

    #[test]
    fn what_is_no_frame_is_kept_as_it_came_and_shown_as_nothing() {
        let short = Violation::of_link(1, Evidence::of(&[0xff; 3], &[]));
        assert_eq!(short.to_string(), "packet is cut, empty or too long");
        assert_eq!(short.evidence.header[..4], [0xff, 0xff, 0xff, 0]);
        assert_eq!(Violation::of_link(u32::MAX, Evidence::default()).rule(), "control");
    }
}
