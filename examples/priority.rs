//! What is urgent passes what waits: a method says so once, for everybody who calls it.

use std::time::Duration;

use bailiwick::prelude::*;

/// Lets water through.
#[protocol]
pub trait Valve {
    /// Lets so many litres through.
    async fn pass(&mut self, litres: u32);
    /// Shuts it for good, before anything that waits to go through.
    #[priority(high)]
    async fn shut(&mut self);
    /// Returns how many litres went through, and how many came to a shut valve.
    async fn litres(&mut self) -> (u32, u32);
}

#[derive(Default)]
struct Tap {
    is_shut: bool,
    through: u32,
    in_vain: u32,
}

impl Valve for Tap {
    async fn pass(&mut self, litres: u32) {
        *(if self.is_shut { &mut self.in_vain } else { &mut self.through }) += litres;
    }

    async fn shut(&mut self) {
        self.is_shut = true;
    }

    async fn litres(&mut self) -> (u32, u32) {
        (self.through, self.in_vain)
    }
}

fn main() -> Result<(), ActorError> {
    bailiwick::local(async |mut cx| {
        let valve: ValveRef = cx.spawn(ValveRef::serve(Tap::default))?;
        // None of these waits, so all four are in the mailbox before the valve has its first turn.
        for litres in 1..=3 {
            valve.pass(litres).try_tell()?;
        }
        valve.shut().try_tell()?;
        let (through, in_vain) = valve.litres().ask(Duration::from_secs(1)).await?;
        println!("{through} litres went through, {in_vain} came to a shut valve");
        Ok(())
    })
}
