//! What the tests of several modules use.

#[path = "../../runtime/sys/src/hangup.rs"]
pub(crate) mod hangup;
