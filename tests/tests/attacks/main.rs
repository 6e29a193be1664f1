//! The attacks that a worker under full control of somebody else can make, each named by its id, against the real binary.
//!
//! `evil` is an ordinary worker with the runtime, its links and its line to the supervisor, that makes any system call
//! with any argument as soon as its sandbox is complete (`tests/src/fixture/evil.c`). Each test first shows that the same
//! attack succeeds where the defence is missing; each asserts afterwards that nobody but `evil` has noticed anything.
//! `docs/attacks.md` maps each id to its tests.

mod a_deputies;
mod a_first_words;
mod a_identity;
mod a_words;
mod b_decoding;
mod b_framing;
mod before_run;
mod c_descriptors;
mod c_handed;
mod c_unread;
mod d_lent;
mod d_memory;
mod d_page;
mod d_ring;
mod deputies;
mod e_open_files;
mod e_reaching;
mod e_shared;
mod e_terminal;
mod f_leaks;
mod g_floods;
mod g_resources;
mod g_stalls;
mod g_waits;
mod h_crashes;
mod h_lifecycle;
#[cfg(target_arch = "x86_64")]
mod h_orphans;
mod i_exec;
mod i_kernel;
mod j_logs;
mod j_output;
mod k_closed;
mod maps;
mod orders;
mod support;
mod voice;
mod wire;
