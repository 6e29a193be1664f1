//! The worker that has the private key. It signs, and can do nothing else: no network, no files, no programs.

use bailiwick::prelude::*;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::protocol::{Conversation, NotSigned, SCHEME, Signing};

/// The name of the credential in the manifest.
const KEY: &str = "key";

/// Signs for servers of TLS.
#[derive(Debug, Default)]
pub(crate) struct Signer {
    key: Option<Box<dyn rustls::sign::Signer>>,
}

impl Actor for Signer {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let key = PrivateKeyDer::from_pem_slice(&cx.credential(KEY)?)?;
        self.key = any_ecdsa_type(&key)?.choose_scheme(&[SCHEME]);
        match self.key {
            Some(_) => Ok(()),
            None => Err(OtherCurve.into()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the key is on another curve than P-256; make one by `openssl ecparam -name prime256v1 -genkey -noout`, and a \
     certificate for it"
)]
struct OtherCurve;

impl Signing for Signer {
    async fn sign(&mut self, conversation: Valid<Conversation>) -> Result<Vec<u8>, NotSigned> {
        let refused = |reason: String| NotSigned { reason };
        let key = self.key.as_ref().ok_or_else(|| refused("there is no key".to_owned()))?;
        key.sign(&conversation.to_be_signed()).map_err(|error| refused(error.to_string()))
    }
}
