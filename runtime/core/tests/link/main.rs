//! Two link machines against each other, and one against a hostile peer.
mod agreement;
mod exploration;
mod grants;
mod hostile;
mod pair;
mod priorities;
mod properties;
mod rendezvous;
mod scenarios;
mod story;
mod succession;
