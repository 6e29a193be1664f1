//! The memory of the peer's that is lent over one link, mapped for as long as it comes again and again.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use bailiwick_core::lending::PLACES;
use bailiwick_sys::error::{Errno, Failed};
use bailiwick_sys::limits::own_address_space;
use bailiwick_sys::memory::MemoryError;
use bailiwick_sys::segment::{BYTES_MAX, Lender};
use bailiwick_sys::socket::LostFds;
use bailiwick_wire::descriptors::Came;

use super::PLAIN;
use crate::blob::{Lent, Loans, Returns};

/// What is mapped, and where it is said what was given back.
pub(super) struct Lenders {
    returns: Returns,
    /// One for a place at most.
    mapped: Vec<Mapped>,
    /// Bytes that may be mapped besides what is read.
    idle_bytes: usize,
    /// What is mapped here or read, and some of what was.
    live: Vec<Weak<Lender>>,
    /// Bytes of it that there may be: no less than one piece, and as much as an honest peer lends that has as many addresses.
    live_bytes: usize,
    /// What this end lends: one clock has both go.
    loans: Arc<Loans>,
}

struct Mapped {
    place: usize,
    lender: Arc<Lender>,
    /// It came since the last tick.
    is_used: bool,
}

impl Lenders {
    pub(super) fn new(returns: Returns, loans: Arc<Loans>) -> Self {
        // Where addresses are limited they are for the worker's own memory in the first place.
        let share = usize::try_from(own_address_space() / 8).unwrap_or(usize::MAX);
        let (idle_bytes, live_bytes) = (IDLE_BYTES.min(share), LIVE_BYTES.min(share.max(BYTES_MAX)));
        Self { returns, mapped: Vec::new(), idle_bytes, live: Vec::new(), live_bytes, loans }
    }

    /// Takes descriptors as what their packet says that they are; of those that were lost only that is there. Returns nothing if the
    /// packet is none that this end's own sink would write.
    ///
    /// Memory that is said to be lent and is not fit for that is a descriptor like any other, which no field takes. What this process
    /// cannot map, whose fault that is not, is lost, and what comes after it; and is given back.
    pub(super) fn came(
        &mut self,
        fds: Vec<OwnedFd>,
        places: &[u8],
        lost: Option<LostFds>,
    ) -> Option<(Vec<Came>, Option<LostFds>)> {
        let is_known = |place: &u8| *place == PLAIN || usize::from(*place) < PLACES;
        let is_whole = if lost.is_some() { fds.len() < places.len() } else { fds.len() == places.len() };
        if places.is_empty() || !is_whole || !places.iter().all(is_known) {
            return None;
        }
        let mut came = Vec::with_capacity(fds.len());
        for (fd, place) in fds.into_iter().zip(places) {
            let lent = if *place == PLAIN { Ok(Came::Fd(fd)) } else { self.lent(fd, usize::from(*place)) };
            match lent {
                Ok(one) => came.push(one),
                Err(error) => {
                    tracing::warn!(target: "bailiwick::link", %error, "memory that was lent cannot be mapped");
                    break;
                }
            }
        }
        let missing = &places[came.len()..];
        for place in missing.iter().filter(|place| **place != PLAIN) {
            self.returns.give_back((*place).into());
        }
        Some((came, if missing.is_empty() { lost } else { Some(LostFds::TableFull) }))
    }

    /// Takes memory that is said to be lent.
    fn lent(&mut self, fd: OwnedFd, place: usize) -> Result<Came, MemoryError> {
        let known = self.mapped.iter_mut().find(|mapped| mapped.place == place);
        if let Some(mapped) = known.filter(|mapped| mapped.lender.is_of(fd.as_fd())) {
            mapped.is_used = true;
            let lent = Lent::new(Arc::clone(&mapped.lender), &self.returns, place);
            return Ok(Came::Lent(Box::new(lent)));
        }
        self.mapped.retain(|mapped| mapped.place != place);
        let lender = self.map(&fd).or_else(|error| match error {
            // There may be no room for it because of those that are not read now.
            MemoryError::Failed(_) => {
                self.mapped.clear();
                self.map(&fd)
            }
            other => Err(other),
        });
        match lender {
            Ok(lender) => {
                self.keep(place, &lender);
                Ok(Came::Lent(Box::new(Lent::new(lender, &self.returns, place))))
            }
            Err(error @ MemoryError::Failed(_)) => Err(error),
            Err(error) => {
                tracing::warn!(target: "bailiwick::link", %error, "what was said to be lent is not fit for that");
                Ok(Came::Fd(fd))
            }
        }
    }

    /// Maps one, if there are addresses for it.
    fn map(&mut self, fd: &OwnedFd) -> Result<Arc<Lender>, MemoryError> {
        let lender = Arc::new(Lender::map(fd.as_fd(), BYTES_MAX as u64)?);
        self.live.retain(|live| live.strong_count() > 0);
        let bytes: usize = self.live.iter().filter_map(Weak::upgrade).map(|live| live.len()).sum();
        if bytes + lender.len() > self.live_bytes {
            return Err(Failed { call: "mmap of lent memory", errno: Errno::ENOMEM }.into());
        }
        self.live.push(Arc::downgrade(&lender));
        Ok(lender)
    }

    /// Keeps a mapping, if there is room for it: otherwise it is mapped anew when it comes again.
    fn keep(&mut self, place: usize, lender: &Arc<Lender>) {
        let bytes: usize = self.mapped.iter().map(|mapped| mapped.lender.len()).sum();
        if bytes + lender.len() <= self.idle_bytes {
            self.mapped.push(Mapped { place, lender: Arc::clone(lender), is_used: true });
        }
    }

    /// Tells whether anything is mapped here, or may be lent from here.
    pub(super) fn holds_memory(&self) -> bool {
        !self.mapped.is_empty() || self.loans.is_in_use()
    }

    /// Lets go of what did not come since the last time, and of what was not lent from here.
    pub(super) fn tick(&mut self) {
        self.mapped.retain_mut(|mapped| std::mem::take(&mut mapped.is_used));
        self.loans.tick();
    }
}

/// What is kept mapped of one peer: as much as it lends.
const IDLE_BYTES: usize = 64 << 20;
/// What is mapped of one peer at most, read or not: as much again is nothing that it may lend.
const LIVE_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
