//! Bailiwick's only unsafe code: processes, sockets with descriptors, sandbox primitives, shared memory.
//!
//! Nothing here decides. Each function is one request to the kernel with its dangers removed: descriptors are
//! owned, nothing blocks unless its name says so, and what runs between fork and exec is prepared beforehand.

pub mod at_work;
pub mod backtrace;
pub mod beneath;
pub mod bounds;
pub mod build_id;
pub mod capability;
pub mod cgroup;
mod child;
pub mod confine;
pub mod connections;
pub mod crash;
pub mod errand;
pub mod error;
pub mod events;
pub mod files;
pub mod findings;
pub mod fresh_mount;
pub mod guardian;
#[cfg(test)]
mod hangup;
pub mod held_lock;
pub mod identity;
pub mod inherited;
pub mod kept;
pub mod kind;
pub mod landlock;
pub mod limits;
pub mod link_pair;
pub mod listen;
pub mod loader;
pub mod locked_folder;
pub mod memory;
mod mount;
pub mod named_socket;
pub mod namespaces;
pub mod nest;
pub mod notify;
pub mod open_files;
pub mod outbox;
pub mod output_pipe;
pub mod own_folder;
mod own_proc;
pub mod path_call;
pub mod pid_namespace;
pub mod process;
pub mod promise;
pub mod random;
pub mod realm;
pub mod remains;
pub mod replacements;
pub mod rules;
pub mod seccomp;
pub mod segment;
pub mod shared_words;
pub mod shares;
pub mod sink;
pub mod slate;
pub mod small_file;
pub mod snapshot;
pub mod socket;
pub mod surroundings;
pub mod survivors;
pub mod system_call;
pub mod temporary;
pub mod trapped_call;
pub mod tree;
pub mod usage;
pub mod user_namespace;
pub mod view;
pub mod wait;
pub mod witness;
pub mod worker_users;

pub use error::{Errno, Failed};
