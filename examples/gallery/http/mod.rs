//! HTTP for clients that mean harm: every size, number and wait has a limit.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod html;
pub(crate) mod range;
pub(crate) mod reply;
pub(crate) mod serve;
pub(crate) mod stall;
pub(crate) mod upload;
