//! A blob beside its message: which memory it goes in is decided when it is known over which link.

use std::any::Any;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use bailiwick_sys::Failed;
use bailiwick_wire::descriptors::{Carried, Outgoing};

use super::loans::{Loaned, Loans};
use super::{Blob, Bytes};

/// A blob on its way out. The message keeps it until it is sent, so that it can be decided anew.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) blob: Blob,
    pub(super) goes: Goes,
}

/// In which memory it goes.
#[derive(Debug)]
pub(super) enum Goes {
    Undecided,
    /// In memory that nobody can change, which may go to anybody.
    Sealed(Arc<OwnedFd>),
    /// In memory that is lent over one link.
    Lent(Arc<Loaned>),
}

impl Carried for Bulk {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.goes {
            Goes::Sealed(fd) => Some(fd.as_fd()),
            // It is no descriptor for whoever does not know what it is.
            Goes::Lent(_) | Goes::Undecided => None,
        }
    }
}

impl Bulk {
    fn decided(&self, over: Option<&Arc<Loans>>) -> Result<Self, Failed> {
        let goes = match over.and_then(|loans| self.blob.lent_over(loans)) {
            Some(loaned) => Goes::Lent(loaned),
            None => Goes::Sealed(self.blob.sealed()?),
        };
        Ok(Self { blob: self.blob.clone(), goes })
    }

    fn may_go(&self, over: Option<&Arc<Loans>>) -> bool {
        match &self.goes {
            Goes::Undecided => false,
            Goes::Sealed(_) => true,
            Goes::Lent(loaned) => over.is_some_and(|loans| loaned.place_of(loans).is_some()),
        }
    }
}

impl Blob {
    /// Returns memory with these bytes that is lent over this link: that in which they were written, or a copy if there is room.
    fn lent_over(&self, loans: &Arc<Loans>) -> Option<Arc<Loaned>> {
        if let Bytes::Placed { loaned, .. } = &*self.0
            && loaned.place_of(loans).is_some()
        {
            return Some(Arc::clone(loaned));
        }
        let mut loaned = loans.take(self.len())?;
        loaned.room().get_mut(..self.len())?.copy_from_slice(self);
        Some(Arc::new(loaned))
    }
}

fn bulk(carried: &dyn Carried) -> Option<&Bulk> {
    let any: &dyn Any = carried;
    any.downcast_ref()
}

/// Decides for what goes beside a message in which memory it goes over this link; over one that lends nothing, in sealed memory.
///
/// # Errors
/// When there is no memory or no descriptor for it.
pub(crate) fn decide(beside: &mut Outgoing, over: Option<&Arc<Loans>>) -> Result<(), Failed> {
    for carried in beside.descriptors_mut() {
        if let Some(bulk) = bulk(&**carried).filter(|bulk| !bulk.may_go(over)) {
            *carried = Arc::new(bulk.decided(over)?);
        }
    }
    Ok(())
}

/// Tells whether what goes beside a message may go over this link as it was decided.
pub(crate) fn may_go(beside: &Outgoing, over: Option<&Arc<Loans>>) -> bool {
    let mut bulks = beside.descriptors().iter().filter_map(|(_, carried)| bulk(&**carried));
    bulks.all(|bulk| bulk.may_go(over))
}

/// Returns the descriptor of memory that is lent over this link, with its place.
pub(crate) fn lent<'a>(carried: &'a dyn Carried, over: &Arc<Loans>) -> Option<(BorrowedFd<'a>, usize)> {
    match &bulk(carried)?.goes {
        Goes::Lent(loaned) => Some((loaned.fd()?, loaned.place_of(over)?)),
        Goes::Sealed(_) | Goes::Undecided => None,
    }
}
