//! Descriptors and addresses inside values: the ambient table of one synchronous encode or decode.
//!
//! A field deep in a value is (de)serialised by serde, which has no place for anything but bytes. So for
//! the length of one [`encode_message`](crate::codec::encode_message) or
//! [`decode_message`](crate::codec::decode_message) a table stands ready in a thread-local; a field of
//! kind K puts its descriptor there and writes its number n, or reads n and takes the descriptor out.
//! Invariants:
//!
//! - The table is there only within such a call: a guard takes it away again, also on unwinding, and what
//!   it still holds is closed. It never spans an await, since the calls are not async.
//! - A call within a call is refused, so a field cannot reach a table that is not its message's.
//! - Encoding shares descriptors ([`Arc`]) and leaves the value as it was: if it fails, or the message must
//!   be sent elsewhere, nothing is lost. The kernel's copy is made by the link; ours close by ownership.
//! - Decoding gives each descriptor out once. One taken twice, of another kind, or left over at the end is
//!   an error, and all are closed.
//!
//! Outside such a call the fields refuse with [`FieldError::Outside`].
//!
//! Most messages carry nothing but bytes. So that those pay nothing for the table, it is laid when the first field asks for
//! it: until then a mark says that it may be.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::{FdKind, FdKinds, Limit, Limits};

/// An address as the runtime knows it; only the runtime can look inside.
pub type AnyAddress = Box<dyn Any + Send>;

/// What was lent to the reader of a message, as the runtime knows it; given back when it is dropped.
pub type AnyLent = Box<dyn Any + Send>;

/// What goes beside an encoded message as a descriptor, until its link has sent it.
///
/// Of some it is not decided while the message is encoded which descriptor that is, since it is not known over which link it will go.
pub trait Carried: Any + fmt::Debug + Send + Sync {
    /// Returns the descriptor, if it is decided.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

impl Carried for OwnedFd {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// A descriptor that came with a message, or what was lent by one.
#[derive(Debug)]
pub enum Came {
    /// The descriptor.
    Fd(OwnedFd),
    /// What was lent. Where it matters of what kind it is, it is sealed memory.
    Lent(AnyLent),
}

/// What an encoded message carries beside its bytes, in the order of the numbers in the payload.
///
/// One word, since it goes with every message on its way and most carry nothing.
#[derive(Debug, Default)]
pub struct Outgoing(Option<Box<Load>>);

#[derive(Debug, Default)]
struct Load {
    descriptors: Vec<(FdKind, Arc<dyn Carried>)>,
    addresses: Vec<AnyAddress>,
}

impl Outgoing {
    /// Returns the descriptors, with what was promised of each.
    pub fn descriptors(&self) -> &[(FdKind, Arc<dyn Carried>)] {
        self.0.as_ref().map_or(&[], |load| &load.descriptors)
    }

    /// Returns the descriptors, to be decided or exchanged for others of the same kind.
    pub fn descriptors_mut(&mut self) -> impl Iterator<Item = &mut Arc<dyn Carried>> {
        self.0.iter_mut().flat_map(|load| &mut load.descriptors).map(|(_, carried)| carried)
    }

    /// Returns the addresses; the link gives each a slot of its own.
    pub fn addresses(&self) -> &[AnyAddress] {
        self.0.as_ref().map_or(&[], |load| &load.addresses)
    }

    /// Returns what was promised of the descriptors.
    pub fn kinds(&self) -> FdKinds {
        self.descriptors().iter().map(|(kind, _)| *kind).collect()
    }
}

/// What a received message carries beside its bytes. What is not taken is closed.
///
/// One word, since it goes with every message on its way and most carry nothing.
#[derive(Debug, Default)]
pub struct Incoming(Option<Box<Beside>>);

#[derive(Debug, Default)]
struct Beside {
    descriptors: Vec<Place<(FdKind, Came)>>,
    addresses: Vec<Place<AnyAddress>>,
    granted: Option<FdKinds>,
}

#[derive(Debug)]
enum Place<T> {
    Waiting(T),
    Taken,
}

impl Incoming {
    /// Takes the descriptors with what each was *observed* to be, and the addresses made for this message.
    pub fn new(descriptors: Vec<(FdKind, OwnedFd)>, addresses: Vec<AnyAddress>) -> Incoming {
        let descriptors = descriptors.into_iter().map(|(kind, fd)| (kind, Came::Fd(fd)));
        Incoming::with_lent(descriptors.collect(), addresses)
    }

    /// Like [`Incoming::new`], of descriptors among which may be what was lent.
    pub fn with_lent(descriptors: Vec<(FdKind, Came)>, addresses: Vec<AnyAddress>) -> Incoming {
        if descriptors.is_empty() && addresses.is_empty() {
            return Incoming(None);
        }
        Incoming(Some(Box::new(Beside {
            descriptors: descriptors.into_iter().map(Place::Waiting).collect(),
            addresses: addresses.into_iter().map(Place::Waiting).collect(),
            granted: None,
        })))
    }

    /// Returns whether nothing came.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Narrows what may come with the message to these kinds; `None` leaves it to the types of its fields.
    #[must_use]
    pub fn granting(self, kinds: Option<FdKinds>) -> Incoming {
        Incoming(self.0.map(|mut beside| {
            beside.granted = kinds;
            beside
        }))
    }

    /// Returns what the descriptors that have not been taken were observed to be.
    pub fn kinds(&self) -> FdKinds {
        self.0.as_ref().map_or_else(FdKinds::default, |beside| beside.kinds())
    }

    /// Returns how many descriptors and how many addresses have not been taken.
    pub fn left(&self) -> (usize, usize) {
        self.0.as_ref().map_or((0, 0), |beside| beside.left())
    }
}

impl Beside {
    /// Checks, before anything is decoded, that nothing came that is not granted.
    fn check(&self) -> Result<(), FieldError> {
        let Some(granted) = self.granted else { return Ok(()) };
        match self.kinds().iter().find(|kind| !granted.admits(*kind)) {
            Some(found) => Err(FieldError::NotGranted { found }),
            None => Ok(()),
        }
    }

    fn left(&self) -> (usize, usize) {
        (waiting(&self.descriptors), waiting(&self.addresses))
    }

    fn kinds(&self) -> FdKinds {
        let kinds = self.descriptors.iter().filter_map(|place| match place {
            Place::Waiting((kind, _)) => Some(*kind),
            Place::Taken => None,
        });
        kinds.collect()
    }
}

fn waiting<T>(places: &[Place<T>]) -> usize {
    places.iter().filter(|place| matches!(place, Place::Waiting(_))).count()
}

/// Why a field with a descriptor or an address could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// There is no message being encoded or decoded on this thread: plain serde has no place for descriptors.
    #[error("{what} can only be part of a message, not of serialised data")]
    Outside {
        /// What the field holds.
        what: &'static str,
    },
    /// The message has as many as it may.
    #[error("more than {max} {limit} in one message")]
    TooMany {
        /// Which limit.
        limit: Limit,
        /// The limit.
        max: u16,
    },
    /// The payload names a number that did not come with it.
    #[error("the payload names {what} {number}, {count} came with it")]
    Missing {
        /// What it names.
        what: &'static str,
        /// The number.
        number: u16,
        /// How many there are.
        count: usize,
    },
    /// The payload names the same one twice.
    #[error("the payload names {what} {number} twice")]
    TakenTwice {
        /// What it names.
        what: &'static str,
        /// The number.
        number: u16,
    },
    /// The descriptor is of another kind than its field promises.
    #[error("descriptor {number} is of kind {found}, {promised} was promised")]
    Kind {
        /// The number.
        number: u16,
        /// What it was observed to be.
        found: FdKind,
        /// What the field promises.
        promised: FdKind,
    },
    /// No grant permits descriptors of this kind.
    #[error("no grant permits descriptors of kind {found}")]
    NotGranted {
        /// What it was observed to be.
        found: FdKind,
    },
    /// Something came that the payload does not name.
    #[error("{count} {what} came that the payload does not name")]
    LeftOver {
        /// What came.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// There is no memory or no descriptor for it here, which is not the other side's fault.
    #[error("there is no room for {what} here: {why}")]
    Exhausted {
        /// What there is no room for.
        what: &'static str,
        /// What the kernel said.
        why: Box<str>,
    },
    /// A message was being encoded or decoded within another's encoding or decoding.
    #[error("a message cannot be encoded or decoded within another")]
    Nested,
}

impl FieldError {
    /// Makes one of what the kernel said when it had no room.
    pub fn exhausted(why: &dyn fmt::Display) -> Self {
        Self::Exhausted { what: DESCRIPTOR, why: why.to_string().into() }
    }
}

enum Table {
    Encoding { load: Box<Load>, fds: u16, addresses: u16 },
    Decoding(Box<Beside>),
}

impl Table {
    fn encoding((fds, addresses): (u16, u16)) -> Table {
        Table::Encoding { load: Box::default(), fds, addresses }
    }
}

struct Ambient {
    table: Option<Table>,
    // The first refusal, kept because serde's errors carry only text.
    error: Option<FieldError>,
}

/// Whether a message is being encoded or decoded on this thread, and whether its table is laid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Present {
    Nothing,
    /// A message is encoded that has nothing beside its bytes so far.
    Encoding,
    /// A message is decoded that came with nothing beside its bytes.
    Decoding,
    /// There is a table.
    Table,
}

thread_local! {
    // The one exception to "no statics": see the module's documentation for what bounds it.
    static PRESENT: Cell<Present> = const { Cell::new(Present::Nothing) };
    // How many descriptors and addresses the message may have that is encoded. Apart, so that what every message looks at is one
    // byte, written and read at once.
    static ALLOWED: Cell<(u16, u16)> = const { Cell::new((0, 0)) };
    static AMBIENT: RefCell<Ambient> = const { RefCell::new(Ambient { table: None, error: None }) };
}

const DESCRIPTOR: &str = "descriptor";
const ADDRESS: &str = "address";

/// Puts a descriptor beside the message being encoded and returns its number, which the field writes.
///
/// # Errors
/// `Outside` if no message is being encoded on this thread, `TooMany` if it has as many as it may.
pub fn put(kind: FdKind, fd: &Arc<OwnedFd>) -> Result<u16, FieldError> {
    put_carried(kind, Arc::<OwnedFd>::clone(fd))
}

/// Like [`put`], of what may not be decided yet.
///
/// # Errors
/// As [`put`].
pub fn put_carried(kind: FdKind, carried: Arc<dyn Carried>) -> Result<u16, FieldError> {
    encoding(DESCRIPTOR, |load, fds, _| {
        let number = next(load.descriptors.len(), fds, Limit::Fds)?;
        load.descriptors.push((kind, carried));
        Ok(number)
    })
}

/// Puts an address beside the message being encoded and returns its number, which the field writes.
///
/// # Errors
/// As [`put`].
pub fn put_address(address: AnyAddress) -> Result<u16, FieldError> {
    encoding(ADDRESS, |load, _, addresses| {
        let number = next(load.addresses.len(), addresses, Limit::Addresses)?;
        load.addresses.push(address);
        Ok(number)
    })
}

/// Takes the descriptor with this number, if it was observed to be what the field promises.
///
/// # Errors
/// `Outside`, `Missing`, `TakenTwice` or `Kind`.
pub fn take(number: u16, promised: FdKind) -> Result<OwnedFd, FieldError> {
    decoding(DESCRIPTOR, |incoming| match take_place(&mut incoming.descriptors, DESCRIPTOR, number)? {
        (found, Came::Fd(fd)) if found.keeps(promised) => Ok(fd),
        (found, _) => Err(FieldError::Kind { number, found, promised }),
    })
}

/// Takes the memory with this number: a descriptor of sealed memory, or what was lent.
///
/// # Errors
/// `Outside`, `Missing`, `TakenTwice` or `Kind`.
pub fn take_memory(number: u16) -> Result<Came, FieldError> {
    let promised = FdKind::SealedMemory;
    decoding(DESCRIPTOR, |incoming| {
        let (found, came) = take_place(&mut incoming.descriptors, DESCRIPTOR, number)?;
        if found.keeps(promised) { Ok(came) } else { Err(FieldError::Kind { number, found, promised }) }
    })
}

/// Notes that there is no room on this side for a field that is being decoded, and returns the error that it is to fail with: the
/// message is refused with that, and not as one that cannot be read.
pub fn exhausted(why: &dyn fmt::Display) -> FieldError {
    let error = FieldError::exhausted(why);
    let _noted = with_table(|_| Err::<(), _>(error.clone()));
    error
}

/// Takes the address with this number.
///
/// # Errors
/// `Outside`, `Missing` or `TakenTwice`.
pub fn take_address(number: u16) -> Result<AnyAddress, FieldError> {
    decoding(ADDRESS, |incoming| take_place(&mut incoming.addresses, ADDRESS, number))
}

fn next(count: usize, max: u16, limit: Limit) -> Result<u16, FieldError> {
    u16::try_from(count).ok().filter(|number| *number < max).ok_or(FieldError::TooMany { limit, max })
}

fn take_place<T>(places: &mut [Place<T>], what: &'static str, number: u16) -> Result<T, FieldError> {
    let count = places.len();
    let place = places.get_mut(usize::from(number)).ok_or(FieldError::Missing { what, number, count })?;
    match std::mem::replace(place, Place::Taken) {
        Place::Waiting(value) => Ok(value),
        Place::Taken => Err(FieldError::TakenTwice { what, number }),
    }
}

fn encoding<R>(
    what: &'static str,
    act: impl FnOnce(&mut Load, u16, u16) -> Result<R, FieldError>,
) -> Result<R, FieldError> {
    with_table(|table| match table {
        Some(Table::Encoding { load, fds, addresses }) => act(load, *fds, *addresses),
        Some(Table::Decoding(_)) | None => Err(FieldError::Outside { what }),
    })
}

fn decoding<R>(
    what: &'static str,
    act: impl FnOnce(&mut Beside) -> Result<R, FieldError>,
) -> Result<R, FieldError> {
    with_table(|table| match table {
        Some(Table::Decoding(incoming)) => act(incoming),
        Some(Table::Encoding { .. }) | None => Err(FieldError::Outside { what }),
    })
}

fn with_table<R>(act: impl FnOnce(Option<&mut Table>) -> Result<R, FieldError>) -> Result<R, FieldError> {
    AMBIENT.with_borrow_mut(|ambient| {
        match PRESENT.get() {
            Present::Nothing | Present::Table => {}
            Present::Encoding => ambient.table = Some(Table::encoding(ALLOWED.get())),
            Present::Decoding => ambient.table = Some(Table::Decoding(Box::default())),
        }
        if PRESENT.get() != Present::Nothing {
            PRESENT.set(Present::Table);
        }
        let result = act(ambient.table.as_mut());
        if let (Err(error), Some(_)) = (&result, &ambient.table) {
            ambient.error.get_or_insert_with(|| error.clone());
        }
        result
    })
}

/// Returns whether nothing is being encoded or decoded on this thread.
#[inline]
pub(crate) fn is_outside() -> bool {
    PRESENT.get() == Present::Nothing
}

/// The table's presence. Dropping it takes the table away and closes what it holds.
pub(crate) struct Guard {
    // Not Send: the table belongs to the thread that made it.
    thread: PhantomData<*const ()>,
}

// What most messages do is small, and is done where the message's own code is.
impl Guard {
    #[inline]
    pub(crate) fn encoding(limits: &Limits) -> Result<Guard, FieldError> {
        let guard = Guard::enter(Present::Encoding)?;
        ALLOWED.set((limits.fds, limits.addresses));
        Ok(guard)
    }

    #[inline]
    pub(crate) fn decoding(incoming: Incoming) -> Result<Guard, FieldError> {
        match incoming.0 {
            None => Guard::enter(Present::Decoding),
            Some(beside) => Guard::laying(beside),
        }
    }

    #[cold]
    fn laying(beside: Box<Beside>) -> Result<Guard, FieldError> {
        beside.check()?;
        // What came with a message that is refused is dropped, and its descriptors closed, on the way out.
        let guard = Guard::enter(Present::Table)?;
        AMBIENT.with_borrow_mut(|ambient| ambient.table = Some(Table::Decoding(beside)));
        Ok(guard)
    }

    #[inline]
    fn enter(present: Present) -> Result<Guard, FieldError> {
        if !is_outside() {
            return Err(FieldError::Nested);
        }
        PRESENT.set(present);
        Ok(Guard { thread: PhantomData })
    }

    /// Returns the first refusal of a field within this call.
    #[inline]
    pub(crate) fn error(&self) -> Option<FieldError> {
        if self.has_table() { take_error() } else { None }
    }

    /// Returns what the message carries beside its bytes.
    #[inline]
    pub(crate) fn outgoing(self) -> Outgoing {
        if self.has_table() { take_outgoing() } else { Outgoing::default() }
    }

    /// Returns the first refusal of a field within this call; if the value is whole, also what is left over.
    #[inline(always)]
    pub(crate) fn finish(self, is_whole: bool) -> Result<(), FieldError> {
        if self.has_table() { end_of_table(is_whole) } else { Ok(()) }
    }

    /// Tells whether there is a table: something came beside the message, or was asked for or put there.
    #[inline]
    fn has_table(&self) -> bool {
        PRESENT.get() == Present::Table
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if PRESENT.replace(Present::Nothing) == Present::Table {
            clear_table();
        }
    }
}

#[cold]
fn take_error() -> Option<FieldError> {
    AMBIENT.with_borrow_mut(|ambient| ambient.error.take())
}

#[cold]
fn take_outgoing() -> Outgoing {
    match AMBIENT.with_borrow_mut(|ambient| ambient.table.take()) {
        Some(Table::Encoding { load, .. }) => Outgoing(Some(load)),
        Some(Table::Decoding(_)) | None => Outgoing::default(),
    }
}

#[cold]
fn end_of_table(is_whole: bool) -> Result<(), FieldError> {
    match take_error() {
        Some(error) => Err(error),
        None if is_whole => nothing_left(),
        None => Ok(()),
    }
}

fn nothing_left() -> Result<(), FieldError> {
    AMBIENT.with_borrow(|ambient| {
        let (descriptors, addresses) = match &ambient.table {
            Some(Table::Decoding(beside)) => beside.left(),
            Some(Table::Encoding { .. }) | None => (0, 0),
        };
        match (descriptors, addresses) {
            (0, 0) => Ok(()),
            (0, count) => Err(FieldError::LeftOver { what: "addresses", count }),
            (count, _) => Err(FieldError::LeftOver { what: "descriptors", count }),
        }
    })
}

/// Closes what the table holds.
#[cold]
fn clear_table() {
    // Taken out first: dropping an address may run code that looks at the table.
    let held = AMBIENT.with_borrow_mut(|ambient| (ambient.table.take(), ambient.error.take()));
    drop(held);
}
