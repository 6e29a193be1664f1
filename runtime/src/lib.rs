//! Actors that span processes, each with exactly the privileges its manifest grants.
#![forbid(unsafe_code)]
