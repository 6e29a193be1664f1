//! `tw`, the test worker: an executable with one actor type for each way of life that a test asks for.
//!
//! Under a supervisor it hosts what the manifest names. Called by hand, its first argument chooses what it is.

mod asker;
mod chatter;
mod courier;
mod death;
mod deputy;
mod evil;
mod flood;
mod foreign;
mod gunner;
mod hostile;
mod lending;
mod life;
mod means;
mod pilot;
mod rest;
pub mod shop;
mod stock;
mod tamper;
pub mod traced;
mod without;

use std::io::Read;
use std::process::ExitCode;
use std::thread;

use bailiwick::Program;
use bailiwick::prelude::Protocol;

pub use self::asker::{Asker, Inquiry, InquiryRef, Questions};
pub use self::chatter::{Chatter, Parrot, Speak, SpeakRef, Talk, TalkRef, Topics, Word};
pub use self::courier::{Book, BookRef, Clerk, Courier, CourierRef, Desk, Rounds, Sender};
pub use self::death::Death;
pub use self::deputy::{
    Careful, Careless, Charge, Dupe, DupeRef, Guest, GuestRef, Key, Order, Refused, Warden, WardenRef,
};
pub use self::evil::{Evil, Mask, MaskRef};
pub use self::flood::{Beside, BesideRef, Hose, Neighbour, Pour, PourRef, Sip, SipRef, Sipper, Spill};
pub use self::gunner::{
    ASKED, AT_ONCE, Butts, Fate, Fire, Gun, GunRef, Gunner, LIFE, Marker, Range, RangeRef, Tally, VOLLEY,
};
use self::hostile::Attack;
pub use self::lending::{Gifts, Giver, Giving, GivingRef, Keeper, Keeping, KeepingRef, Shelf};
pub use self::life::{Knobs, Life, Probe, ProbeRef};
pub use self::means::{Means, MeansRef, Purse, Spender};
pub use self::pilot::{Course, Flight, FlightRef, Pilot};
pub use self::rest::{Nap, Porter, PorterRef, Rest, RestRef, Sleeper, Waker, Walk};
pub use self::stock::{Item, Quality, Shelves, Stock, StockRef};

/// The `main` of `tw`.
pub fn main() -> ExitCode {
    if let Ok(text) = std::env::var("TW_PANIC") {
        panic!("{text}");
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Ok(orders) = std::env::var("TW_EARLY") {
        evil::early(&orders);
    }
    match arguments.get(1).map(String::as_str) {
        Some("spin") => spin(),
        Some("foreign") => foreign::play(&arguments[2..]),
        Some("without") => without::execute(&arguments[2], &arguments[3..]),
        Some("evil") => evil::serve(&arguments[2]),
        Some("early") => ExitCode::SUCCESS,
        Some("pass") => foreign::pass(&arguments[2], &arguments[3..]),
        _ => match (std::env::var("BAILIWICK_ROLE").as_deref(), Attack::from_environment()) {
            (Ok("worker"), Some(attack)) => hostile::play(attack),
            _ => program().run(),
        },
    }
}

/// The actors that a manifest may ask for.
fn program() -> Program {
    Program::new()
        .register("Life", ProbeRef::serve(Life::new).with_args::<Knobs>().with_lifecycle())
        .register("Means", MeansRef::serve(Spender::new).with_args::<Purse>().with_lifecycle())
        .register("Pilot", FlightRef::serve(Pilot::new).with_args::<Course>().with_lifecycle())
        .register("Sender", CourierRef::serve(Sender::new).with_args::<Rounds>().with_lifecycle())
        .register("Sleeper", RestRef::serve(Sleeper::new).with_args::<Nap>().with_lifecycle())
        .register("Waker", PorterRef::serve(Waker::new).with_args::<Walk>().with_lifecycle())
        .register("Careful", WardenRef::serve(Careful::new).with_args::<Charge>())
        .register("Careless", DupeRef::serve(Careless::new).with_args::<Charge>())
        .register("Evil", MaskRef::serve(Evil::default).with_lifecycle())
        .register("Parrot", TalkRef::serve(Parrot::default))
        .register("Chatter", SpeakRef::serve(Chatter::new).with_args::<Topics>().with_lifecycle())
        .register("Gunner", GunRef::serve(Gunner::new).with_args::<Fire>().with_lifecycle())
        .register("Marker", RangeRef::serve(Marker::new).with_args::<Butts>())
        .register("Asker", InquiryRef::serve(Asker::new).with_args::<Questions>().with_lifecycle())
        .register("Giver", GivingRef::serve(Giver::new).with_args::<Gifts>().with_lifecycle())
        .register("Keeper", KeepingRef::serve(Keeper::new).with_args::<Shelf>())
        .register("Sipper", SipRef::serve(Sipper::default))
        .register("Neighbour", BesideRef::serve(Neighbour::default))
        .register("Hose", PourRef::serve(Hose::new).with_args::<Spill>().with_lifecycle())
        .register("Shelves", StockRef::serve(Shelves::default).with_lifecycle())
        .register("Clerk", BookRef::serve(Clerk::new).with_args::<Desk>().with_lifecycle())
}

/// Keeps a core busy until standard input ends.
fn spin() -> ExitCode {
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        std::hint::spin_loop();
    }
}
