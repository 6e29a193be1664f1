//! Two workers in one process, joined by each kind of link.

mod allocations;
mod begun;
mod blobs;
mod conformance;
mod desk;
mod fire;
mod lent;
mod limits;
mod mutation;
mod policies;
mod pool;
mod priorities;
mod rendezvous;
mod ring;
mod sides;
mod socket;
mod spans;
mod turns;
mod untyped;
mod worlds;
