//! Foreign programs: what they are born with, and what they tell by sd_notify.
//!
//! Only the process that the supervisor made speaks for itself: the kernel says who sent a datagram, and what any other
//! sent is ignored. What it tells becomes the same events as those of a worker of the runtime.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bailiwick_core::berth::{self, Berth};
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{ChildId, Event, Incarnation};
use bailiwick_sys::events::Interest;
use bailiwick_sys::{Errno, Failed, notify, socket};
use bailiwick_wire::notify::{MAX_BYTES, Notice, notices, variables};
use bailiwick_wire::output::escape;

use super::Daemon;
use crate::spec::Command;
use bailiwick_core::token::Token;

impl Daemon {
    /// Returns the listeners with which a foreign program is born, and the variables that tell it of them and of the way
    /// back.
    pub(super) fn belongings(&mut self, berth: Berth) -> Result<(Vec<OwnedFd>, Vec<CString>), Failed> {
        let worker = self.roster.seat(berth.child).worker.clone();
        let notify = if worker.notifies() { Some(self.listen_to(berth)?) } else { None };
        let watchdog = worker.command.as_ref().and_then(|command| command.watchdog);
        let (names, kept): (Vec<_>, Vec<_>) = self.kept_for(berth.child).into_iter().unzip();
        Ok((kept, variables(notify.as_deref(), watchdog, &names)))
    }

    /// Makes the socket by which an instance is heard, unless it is there, and returns its path.
    fn listen_to(&mut self, berth: Berth) -> Result<String, Failed> {
        let name = berth::name(&self.roster.seat(berth.child).title, berth.is_second);
        let path = notify::path(self.state.path(), &name)?;
        if self.children.at_mut(berth).ear.is_none() {
            let prepared = self.launcher.prepared(berth);
            let uid = prepared.map_or(u32::MAX, |prepared| prepared.identity().uid);
            let ear = notify::listen(Path::new(&path), uid)?;
            self.watch(&ear, Token::Notice(berth), Interest::READ)?;
            self.children.at_mut(berth).ear = Some(ear);
        }
        Ok(path)
    }

    /// Stops to hear an instance, whose next life may be another user's or nobody's.
    pub(super) fn close_ear(&mut self, berth: Berth) {
        let ear = self.children.at_mut(berth).ear.take();
        ear.iter().for_each(|ear| self.unwatch(ear));
    }

    /// Takes one datagram. Returns whether there may be more.
    pub(super) fn take_notice(&mut self, berth: Berth) -> bool {
        let mut bytes = [0; MAX_BYTES];
        let Some(ear) = &self.children.at_mut(berth).ear else { return false };
        // Descriptors that came along are closed at the end, which is what a barrier waits for.
        let Ok(Some(packet)) = socket::receive(ear.as_fd(), &mut bytes) else { return false };
        let sender = packet.credentials.map_or(0, |sender| sender.pid);
        let life = self.children.at(berth).life.as_ref().filter(|life| life.pid == sender && !life.reaped);
        match life.map(|life| life.of) {
            None => {
                let of = self.incarnation(berth.child);
                self.complain(of, &format!("process {sender} is not it, what that notifies is ignored"))
            }
            Some(of) if packet.truncated => {
                self.complain(of, &format!("a notice of more than {MAX_BYTES} bytes is ignored"));
            }
            Some(of) => notices(&bytes[..packet.bytes]).for_each(|notice| self.heed(of, notice)),
        }
        true
    }

    fn heed(&mut self, of: Incarnation, notice: Notice<'_>) {
        let now = self.now();
        let Some(life) = self.life(of) else { return };
        let told = match notice {
            Notice::Ready => {
                life.alive_at = now;
                Ok(Event::Ready(of))
            }
            // One that stops by itself takes nothing new either.
            Notice::Unready | Notice::Stopping => Ok(Event::Unready(of)),
            Notice::Reloading => Ok(Event::Reloading(of)),
            Notice::Extend(by) => Ok(Event::Extend { of, by }),
            Notice::Settled => Ok(Event::Settled(of)),
            Notice::Hung => Ok(Event::Hung(of)),
            Notice::Alive => return life.alive_at = now,
            Notice::AliveEvery(time) => return life.watchdog = Some(time),
            Notice::Status(text) => Err(format!("says: {}", escape(text.as_bytes()))),
            Notice::Errno(number) => Err(format!("says that it fails: {}", Errno::from_raw(number))),
            Notice::OtherProcess => Err("it names another main process: refused".to_owned()),
            Notice::KeepDescriptors => {
                let place = self.child(of.child);
                place.descriptors_refused += 1;
                Err(format!("it wants descriptors kept: refused, time {}", place.descriptors_refused))
            }
            _ => return,
        };
        match told {
            Ok(event) => self.events.push_back(event),
            Err(text) => self.complain(of, &text),
        }
    }

    /// Returns since when nothing was heard of a foreign program that promised to say that it gets on, as far as its
    /// terms count: a time that it chose itself is told as a later or earlier beginning.
    pub(super) fn unheard_since(&mut self, of: Incarnation) -> Option<Instant> {
        let limit =
            self.roster.seat(of.child).worker.command.as_ref().and_then(|command| command.watchdog)?;
        let life = self.life(of)?;
        let chosen = life.watchdog.unwrap_or(limit);
        Some(life.alive_at + chosen.saturating_sub(limit))
            .map(|at| at.saturating_sub(limit.saturating_sub(chosen)))
    }

    /// Returns what an instance is besides, if it is a foreign program.
    pub(super) fn command(&self, child: ChildId) -> Option<&Command> {
        self.roster.seat(child).worker.command.as_ref()
    }
}
