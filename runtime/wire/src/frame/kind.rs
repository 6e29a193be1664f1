//! What a frame is, and what a frame of each kind may have.

use super::Flags;
use crate::fault::Violation;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $rule:expr;)*) => {
        /// What a frame is.
        ///
        /// Exhaustive on purpose: a receiver decides about every kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $code,)* }

        impl Kind {
            /// Every kind, in the order of their codes.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// Returns the kind with this code.
            ///
            /// # Errors
            /// `UnknownKind` if there is none.
            pub const fn from_code(code: u8) -> Result<Kind, Violation> {
                match code {
                    $($code => Ok(Kind::$name),)*
                    code => Err(Violation::UnknownKind { code }),
                }
            }

            /// Returns what a frame of this kind may have.
            pub const fn rule(self) -> Rule {
                match self { $(Kind::$name => $rule,)* }
            }
        }
    };
}

/// What a frame of one kind may have; what is not permitted must be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The flags that may be set.
    pub flags: Flags,
    /// Whether it names a slot, and so has a generation.
    pub slot: bool,
    /// Whether it names a method.
    pub method: bool,
    /// Whether it belongs to an ask, or to a rendezvous, and so has a correlation other than zero.
    pub correlation: bool,
    /// Whether descriptors may come with it.
    pub fds: bool,
    /// Its payload.
    pub payload: PayloadRule,
}

/// What payload a kind may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadRule {
    /// None.
    Empty,
    /// Exactly this many bytes.
    Exactly(u32),
    /// A value of the runtime itself, within [`Limits::CONTROL`](crate::Limits::CONTROL).
    Control,
    /// A user's value, within the limits of the link.
    Data,
}

const NOTHING: Rule = Rule {
    flags: Flags::NONE,
    slot: false,
    method: false,
    correlation: false,
    fds: false,
    payload: PayloadRule::Empty,
};
const SLOT: Rule = Rule { slot: true, ..NOTHING };
const CONTROL: Rule = Rule { payload: PayloadRule::Control, ..NOTHING };
const TELL: Rule =
    Rule { flags: Flags::ALL, slot: true, method: true, fds: true, payload: PayloadRule::Data, ..NOTHING };
const ASK: Rule = Rule { correlation: true, ..TELL };
const CORRELATED: Rule = Rule { correlation: true, ..NOTHING };
const REPLY: Rule = Rule {
    flags: Flags::ADDRESSES.union(Flags::PART),
    correlation: true,
    fds: true,
    payload: PayloadRule::Data,
    ..NOTHING
};

kinds! {
    /// Opens a link: the wire's version and what the sender takes. Payload: `handshake::Hello`.
    Hello = 1, CONTROL;
    /// Accepts the other end's hello.
    HelloAck = 2, NOTHING;
    /// Refuses the other end's hello, or a use. Payload: `handshake::Refusal`.
    Refuse = 3, CONTROL;
    /// Names methods of the actor in the slot that the sender will use. Payload: `handshake::Uses`.
    Uses = 4, Rule { slot: true, ..CONTROL };
    /// Answers `Uses`: how the actor in the sender's slot is to be reached. Payload: `handshake::Offer`.
    Offer = 5, Rule { slot: true, ..CONTROL };

    /// A one-way message.
    Tell = 16, TELL;
    /// A one-way message for a mailbox that holds nothing: `Reply`, without a payload, says that the actor took it.
    Rendezvous = 25, ASK;
    /// A request that expects a reply.
    Ask = 17, ASK;
    /// The reply to an ask.
    Reply = 18, REPLY;
    /// The end of an ask without a reply, or of a rendezvous that did not take place. Payload: `reason::Failure`.
    Failure = 19, Rule { correlation: true, ..CONTROL };
    /// One of the replies to an ask that streams.
    Item = 20, REPLY;
    /// The end of a stream of replies.
    End = 21, CORRELATED;
    /// The asker no longer waits.
    Cancel = 22, CORRELATED;
    /// The answer to an ask is a stream, and it begins.
    Opened = 24, CORRELATED;
    /// A further piece of a message: `slot` is the number of the [`super::Part`], `generation` counts the pieces.
    Fragment = 23, Rule { payload: PayloadRule::Data, ..SLOT };

    /// Gives credit for a slot back, for messages that have left the mailbox. Payload: messages u32, bytes u32,
    /// descriptors u32.
    Credit = 32, Rule { payload: PayloadRule::Exactly(12), ..SLOT };
    /// Lends more credit for a slot. Payload: as that of `Credit`.
    Lend = 33, Rule { payload: PayloadRule::Exactly(12), ..SLOT };
    /// Grants credit for items of a streamed reply. Payload: items u32.
    ItemCredit = 34, Rule { payload: PayloadRule::Exactly(4), ..CORRELATED };

    /// Asks for one `Down` when the actor in the slot ends.
    Watch = 40, Rule { correlation: true, ..SLOT };
    /// Takes a watch back.
    Unwatch = 41, CORRELATED;
    /// The watched actor has ended. Payload: `reason::DownCause`.
    Down = 42, Rule { correlation: true, ..CONTROL };
    /// The last copy of an address that travelled is gone: the slot is free.
    Release = 43, SLOT;
    /// The slot is no longer to be had; what is still sent there is not delivered.
    Revoke = 44, SLOT;

    /// Nothing should be sent to the sender until it says `Ready`.
    Unready = 46, NOTHING;
    /// The sender takes messages again.
    Ready = 47, NOTHING;
    /// The sender takes no new asks and finishes those it has.
    Draining = 48, NOTHING;
    /// The answer to `Draining`: no message of the sender's comes behind it.
    Heard = 45, NOTHING;
    /// The last frame of a link. Payload: `reason::CloseCause`.
    Close = 49, CONTROL;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_kind_or_a_violation() {
        let known = (0..=255u8).filter(|code| Kind::from_code(*code).is_ok()).count();
        assert_eq!(known, Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(*kind as u8).as_ref(), Ok(kind));
        }
        assert_eq!(Kind::from_code(0), Err(Violation::UnknownKind { code: 0 }));
    }
}
