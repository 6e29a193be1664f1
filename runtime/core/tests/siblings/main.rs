//! The machine of actors under one parent: scenarios, and that it orders what the tree of processes orders.

mod equal;
mod scenarios;
