//! #[protocol] and #[message].
#![forbid(unsafe_code)]
