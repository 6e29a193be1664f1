//! The catalogue of supervision: each scenario is one test, named by its id, against the binary as a black box.
//!
//! What is observed: `status`, `crashes` and `events` of the control socket, exit codes, /proc, what is printed.
//! `docs/catalogue.md` maps each id to its test.

mod a_types;
mod b_backoff;
mod c_actors;
mod c_cores;
mod c_deaths;
mod c_hangs;
mod console;
mod d_birth;
mod d_readiness;
mod d_room;
mod d_start;
mod e_itself;
mod e_listeners;
mod e_orphans;
mod e_record;
mod explained;
mod f_shutdown;
mod foreign;
mod g_links;
mod g_others;
mod g_reload;
mod g_rolled;
mod g_rolling;
mod h_surroundings;
mod i_books;
mod i_handoff;
mod i_messages;
mod j_disposable;
mod j_spares;
mod journal;
mod log_files;
mod logs;
mod logs_over_http;
mod support;
mod verbs;
