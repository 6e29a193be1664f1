//! What the front may ask of the signer: one thing.

use bailiwick::prelude::*;
use rustls::SignatureScheme;

/// What the key is, and how it signs: by ECDSA on the curve P-256, which every client knows.
pub(crate) const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

/// Whoever has the key.
#[protocol(untrusted)]
pub(crate) trait Signing {
    /// Signs, as the server of a TLS 1.3 connection does, that its conversation has this hash.
    async fn sign(&mut self, conversation: Valid<Conversation>) -> Result<Vec<u8>, NotSigned>;
}

/// The hash of all that client and server have said so far: by SHA-256 or SHA-384, as the cipher suite has it.
#[message]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    hash: Vec<u8>,
}

/// What it has in bytes.
const HASHES: [usize; 2] = [32, 48];
/// What stands before the hash in what a server signs (RFC 8446, 4.4.3), so that nothing else that a key may sign begins so.
const PADDING: [u8; 64] = [b' '; 64];
const CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify\0";

impl Conversation {
    /// Takes the hash out of what rustls wants to have signed, if that is what a server signs.
    pub(crate) fn from_signed(message: &[u8]) -> Option<Valid<Self>> {
        let hash = message.strip_prefix(&PADDING)?.strip_prefix(CONTEXT)?;
        Valid::new(Self { hash: hash.to_vec() }).ok()
    }

    /// Returns what is signed. Who asks for a signature has a say in the hash alone.
    pub(crate) fn to_be_signed(&self) -> Vec<u8> {
        [&PADDING, CONTEXT, &self.hash].concat()
    }
}

impl Validate for Conversation {
    type Error = NotSigned;

    fn validate(&self) -> Result<(), NotSigned> {
        let known = HASHES.contains(&self.hash.len());
        let reason = || format!("a hash has 32 or 48 bytes, this one has {}", self.hash.len());
        if known { Ok(()) } else { Err(NotSigned { reason: reason() }) }
    }
}

/// Why there is no signature.
#[message]
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not signed: {reason}")]
pub(crate) struct NotSigned {
    pub(crate) reason: String,
}

/// What is asked of an actor that does its work when it starts: nothing.
#[protocol]
pub(crate) trait Silent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_signs_is_the_hash_and_words_that_nobody_chooses() {
        for length in HASHES {
            let message = [&PADDING[..], CONTEXT, &vec![7; length]].concat();
            let conversation = Conversation::from_signed(&message).expect("a server signs that");
            assert_eq!(conversation.to_be_signed(), message);
        }
    }

    #[test]
    fn nothing_else_is_signed() {
        let of_a_client = [&PADDING[..], b"TLS 1.3, client CertificateVerify\0", &[7; 32]].concat();
        let too_long = [&PADDING[..], CONTEXT, &[7; 33]].concat();
        for message in [&of_a_client[..], &too_long, b"a certificate, say", b""] {
            assert_eq!(Conversation::from_signed(message), None);
        }
    }
}
