//! Two workers in one process, joined by each kind of link.

mod conformance;
mod desk;
mod socket;
mod worlds;
