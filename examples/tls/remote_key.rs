//! A key that is in another process, as rustls sees it.

use std::time::Duration;

use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use crate::protocol::{Conversation, SCHEME, SigningRef};

/// How long a client waits for a signature: also while the signer is restarted.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the signer for each signature.
///
/// rustls wants a signature by return, in the middle of a call: it has no state in which one could be awaited. So the ask
/// blocks its thread ([`bailiwick::Call::ask_blocking`]), and [`crate::front`] sees to it that this is no thread on which
/// others wait.
#[derive(Clone)]
pub(crate) struct RemoteKey {
    signer: SigningRef,
}

impl RemoteKey {
    pub(crate) fn new(signer: SigningRef) -> Self {
        Self { signer }
    }
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SCHEME).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for RemoteKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let other =
            || Error::General("only what a server of TLS 1.3 says of a conversation is signed".to_owned());
        let conversation = Conversation::from_signed(message).ok_or_else(other)?;
        match self.signer.sign(conversation).ask_blocking(PATIENCE) {
            Ok(Ok(signature)) => Ok(signature),
            Ok(Err(error)) => Err(Error::General(error.to_string())),
            Err(error) => Err(Error::General(format!("the signer: {error}"))),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}

impl std::fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RemoteKey")
    }
}
