//! In which namespaces a worker is: what it sees of files, of the network, of others' shared memory, of the host's name.

use std::borrow::Cow;
use std::os::fd::AsFd;
use std::rc::Rc;

use bailiwick_sys::identity::Identity;
use bailiwick_sys::landlock::ruleset::Access;
use bailiwick_sys::namespaces::Namespace;
use bailiwick_sys::nest::Nest;
use bailiwick_sys::notify;
use bailiwick_sys::surroundings::Surroundings;
use bailiwick_sys::view::{May, Scenery, View, plain};

use super::error::SandboxError;
use super::executable::Executable;
use super::paths::Granted;
use super::prepared::Ground;
use crate::check::aspect::{Aspect, Missing};
use crate::spec::{Preset, ProcSubset, Worker};

impl Ground {
    /// Builds the surroundings of `worker`, whose `granted` paths are from then on those that it sees.
    pub(super) fn surroundings(
        &self,
        worker: &Worker,
        executable: &Executable,
        (title, who, nest): (&str, Identity, Option<&Nest>),
        granted: &mut Vec<Granted>,
        missing: &mut Vec<Missing>,
    ) -> Result<Surroundings, SandboxError> {
        let sandbox = &worker.sandbox;
        let mut lacks = |key, is_written: bool, aspect, why: Cow<'static, str>| match is_written {
            true => self.floor_missing(worker, key, why, aspect, missing),
            false => {
                missing.push(Missing { what: aspect, why });
                Ok(())
            }
        };
        let mut around = Surroundings::of(nest, &self.machine.commons, &self.machine.space);
        let (network, ipc, name) = (sandbox.private_network, sandbox.private_ipc, sandbox.protect_hostname);
        for (is_wanted, kind, aspect, key, written) in [
            (sandbox.has_private_network(), Namespace::Network, Aspect::Network, "private_network", network),
            (sandbox.has_private_ipc(), Namespace::Ipc, Aspect::Ipc, "private_ipc", ipc),
            (
                sandbox.has_protected_hostname(),
                Namespace::Hostname,
                Aspect::Hostname,
                "protect_hostname",
                name,
            ),
        ] {
            if is_wanted && !around.join(kind) {
                let why = "the kernel makes no such namespace for the supervisor";
                lacks(key, written.is_some(), aspect, why.into())?;
            }
        }
        if sandbox.preset == Preset::Exec && around.joined.contains(&Namespace::Ipc) {
            // Who can make something there would show it to the others.
            around.own.push(Namespace::Ipc);
        }
        match around.can_see(&self.machine.views) {
            _ if !sandbox.has_private_mounts() => {}
            Ok(()) => {
                granted.extend(Granted::root(worker, &self.machine)?);
                self.show(worker, executable, (title, who), granted, &mut around)?;
            }
            Err(error) => {
                lacks(VIEW, sandbox.requires_view(), Aspect::View, error.to_string().into())?;
                // What has another name there is not to be reached by its own.
                granted.retain(|place| place.at() == place.path());
            }
        }
        Ok(around)
    }

    /// Builds the view of `worker`: its granted paths under their names, what its program is loaded from, nothing else.
    fn show(
        &self,
        worker: &Worker,
        executable: &Executable,
        (name, who): (&str, Identity),
        granted: &mut Vec<Granted>,
        around: &mut Surroundings,
    ) -> Result<(), SandboxError> {
        let (keys, mut scenery) = (&worker.sandbox.view, Scenery::default());
        let hidden = Granted::open_hidden(worker, &self.machine)?;
        hidden.iter().for_each(|place| scenery.hide(place.path(), place.as_fd()));
        for place in &*granted {
            let may = May::of(place.access(), keys.private_devices == Some(false));
            scenery.show(place.at(), place.as_fd(), may);
        }
        for folder in worker.sandbox.temporaries() {
            scenery.temporary(&folder.at, folder.bounds, who);
            around.empty(&folder.at);
        }
        scenery.need_places(worker.sandbox.preset.needs_places_of(), executable.loader());
        scenery.need_places(worker.sandbox.devices(), None);
        if worker.sandbox.preset == Preset::Exec {
            // It may start itself again, by the name that it has or asks for.
            scenery.need(executable.path(), May { execute: true, ..May::default() });
            let tells_all = keys.proc_subset == Some(ProcSubset::All);
            around.show_processes((keys.protect_proc.unwrap_or_default(), tells_all), &mut scenery);
        }
        if worker.notifies() {
            scenery.need(&notify::folder(&self.state_dir, name), May::default());
        }
        let directory = plain(worker.folder());
        scenery.folder(&directory);
        let failed = |source| SandboxError::View { worker: worker.name.clone(), source };
        keys.narrowed().try_for_each(|(part, how)| scenery.narrow(part, how)).map_err(failed)?;
        let view = Rc::new(View::build(&scenery, self.machine.space.realm()).map_err(failed)?);
        drop(scenery);
        granted.iter_mut().try_for_each(|place| place.look_from(&view))?;
        for folder in worker.sandbox.temporaries() {
            granted.push(Granted::seen(&folder.at, Access::Write, &view)?);
        }
        around.see(view, &directory);
        Ok(())
    }
}

const VIEW: &str = "a view of files of its own";
