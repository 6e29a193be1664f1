//! What an executable tells about itself in the `describe` role: one packet, after it has read its bootstrap,
//! before any code of the user ran.
//!
//! It is written by the executable that is to be checked, so that whoever reads it takes nothing in it for true
//! beyond "this is what it says".

use serde::{Deserialize, Serialize};

use crate::Limits;
use crate::codec::{self, DecodeError, EncodeError};

/// The largest description.
pub const DESCRIPTION_BYTES: usize = Limits::BOOTSTRAP.frame_bytes as usize;

/// What an executable has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The actor types that it registered.
    pub types: Vec<Type>,
    /// The actors of the bootstrap whose arguments do not decode: the actor's name and why.
    pub refused_args: Vec<(String, String)>,
}

/// One actor type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// The name under which it is registered.
    pub name: String,
    /// The methods of all its protocols.
    pub methods: Vec<String>,
}

impl Description {
    /// Writes the packet.
    ///
    /// # Errors
    /// When there is more than [`Limits::BOOTSTRAP`] permits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Box<EncodeError>> {
        let mut bytes = Vec::new();
        codec::encode(self, &Limits::BOOTSTRAP, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the packet.
    ///
    /// # Errors
    /// When it is not exactly one description within [`Limits::BOOTSTRAP`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Box<DecodeError>> {
        codec::decode(bytes, &Limits::BOOTSTRAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_comes_back_and_no_cut_of_it_does() {
        let told = Description {
            types: vec![Type { name: "Shrinker".into(), methods: vec!["shrink".into()] }],
            refused_args: vec![("thumbs".into(), "line 3 of the manifest: no".into())],
        };
        let bytes = told.to_bytes().unwrap();
        assert_eq!(Description::from_bytes(&bytes).as_ref(), Ok(&told));
        for end in 0..bytes.len() {
            assert!(Description::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
