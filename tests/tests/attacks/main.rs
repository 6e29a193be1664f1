//! The attacks that a worker under full control of somebody else can make, each named by its id, against the real binary.
//!
//! `evil` is an ordinary worker with the runtime, its links and its line to the supervisor, that makes any system call
//! with any argument as soon as its sandbox is complete (`tests/src/fixture/evil.c`). Each test first shows that the same
//! attack succeeds where the defence is missing; each asserts afterwards that nobody but `evil` has noticed anything.
//! `docs/attacks.md` maps each id to its tests.

mod a_identity;
mod b_framing;
mod before_run;
mod c_descriptors;
mod d_memory;
mod e_reaching;
mod f_leaks;
mod g_resources;
mod h_lifecycle;
mod i_kernel;
mod j_logs;
mod k_closed;
mod support;
mod wire;
