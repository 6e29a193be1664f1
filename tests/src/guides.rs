//! The guides of the book: each program in them is compiled, and run unless it needs processes of its own.
//!
//! `cargo test --doc -p bailiwick-tests`

macro_rules! guides {
    ($($name:ident: $file:literal,)*) => {$(
        #[doc = include_str!(concat!("../../docs/guides/", $file, ".md"))]
        mod $name {}
    )*};
}

guides! {
    drop_privileges: "drop-privileges",
    pass_a_descriptor: "pass-a-descriptor",
    test_an_actor: "test-an-actor",
    tune_a_mailbox: "tune-a-mailbox",
    survive_a_poison_message: "survive-a-poison-message",
    from_ractor: "from-ractor",
    from_kameo: "from-kameo",
    from_actix: "from-actix",
    from_privsep_by_hand: "from-privsep-by-hand",
}
