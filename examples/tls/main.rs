//! A proxy that ends TLS and cannot lose its key: whoever takes over what talks to strangers finds none there.
//!
//! `binder` binds the port and is gone; `signer` has the key and signs; `front` has the connections and asks it to.
//! `tls.toml` says what each may do.

mod backend;
mod binder;
mod front;
mod protocol;
mod remote_key;
mod signer;

use std::process::ExitCode;

use bailiwick::prelude::*;

use binder::{Binder, BinderArgs};
use front::{Front, FrontArgs};
use protocol::{SigningRef, SilentRef};
use signer::Signer;

fn main() -> ExitCode {
    Program::new()
        .register("Binder", SilentRef::serve(Binder::new).with_args::<BinderArgs>().with_lifecycle())
        .register("Signer", SigningRef::serve(Signer::default).with_lifecycle())
        .register("Front", SilentRef::serve(Front::new).with_args::<FrontArgs>().with_lifecycle().blocking())
        .run()
}
