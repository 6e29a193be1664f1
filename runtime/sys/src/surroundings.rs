//! The namespaces that a start moves into: joined, where they were made before, or its own.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::fresh_mount::{FreshMount, HidePid};
use crate::namespaces::{Commons, Namespace};
use crate::nest::{Nest, Space};
use crate::process::Step;
use crate::user_namespace::OneUser;
use crate::view::{May, Scenery, View, ViewError};

/// What a start joins, and what it makes.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// What may be joined together with others.
    pub commons: Arc<Commons>,
    reaches: bool,
    own_proc: bool,
    /// Which of them are.
    pub joined: Vec<Namespace>,
    /// What nobody else is in.
    pub own: Vec<Namespace>,
    /// What is seen of files, if not what the supervisor sees.
    pub view: Option<Rc<View>>,
    /// The user namespace that is made behind all of them, if they are in the power of the one that they are entered from.
    pub users: Option<OneUser>,
    /// What is mounted in the view for one life.
    pub fresh: Vec<FreshMount>,
    /// Folders in the view that nothing of a former life is left in.
    emptied: Vec<CString>,
    /// The working directory in the view.
    directory: CString,
}

impl Surroundings {
    /// Returns those of who is born in `nest` and joins nothing yet. What was made in `realm` is out of reach for who is not
    /// born in that.
    pub fn of(nest: Option<&Nest>, commons: &Arc<Commons>, machine: &Space) -> Self {
        let own = nest.and_then(|nest| nest.realm.as_ref());
        let reaches = own.is_some() == machine.realm.is_some();
        let commons = if reaches { Arc::clone(commons) } else { Arc::default() };
        // Root may see that of the namespace that it is in itself.
        let has_own_pids = machine.realm.is_none() || nest.is_some_and(|nest| nest.pids);
        let own_proc = machine.own_proc && has_own_pids;
        Self { commons, reaches, own_proc, users: own.map(|realm| realm.user()), ..Self::default() }
    }

    /// Returns whether a view can be joined, if there are any.
    ///
    /// # Errors
    /// Why there are none, or none that can be reached.
    pub fn can_see(&self, views: &Result<(), ViewError>) -> Result<(), ViewError> {
        views.clone().and_then(|()| if self.reaches { Ok(()) } else { Err(View::refused()) })
    }

    /// Moves into what others are in, or has to do without; returns whether it is there.
    pub fn join(&mut self, kind: Namespace) -> bool {
        let is_there = self.commons.of(kind).is_some();
        self.joined.extend(is_there.then_some(kind));
        is_there
    }

    /// Sees `view`, and starts in a folder of it.
    pub fn see(&mut self, view: Rc<View>, directory: &Path) {
        self.view = Some(view);
        // A name with a zero in it was in no view that could be built.
        self.directory = CString::new(directory.as_os_str().as_bytes()).unwrap_or_default();
    }

    /// Has each life find a `/proc` of its own PID namespace in the view that is to be of `scenery`, as
    /// [`FreshMount::own_proc`], where the machine gives one.
    pub fn show_processes(&mut self, (hide, tells_all): (HidePid, bool), scenery: &mut Scenery<'_>) {
        if !self.own_proc {
            return;
        }
        let proc = FreshMount::own_proc(hide, tells_all).replacing(self.users.is_some());
        match self.users {
            // To who is not root the kernel gives another one only where it sees the system's, which makes room for it then.
            Some(_) => scenery.need(proc.at(), May::default()),
            None => scenery.folder(proc.at()),
        }
        self.fresh.push(proc);
        // Which would tell it where its group is among all of the machine's.
        self.own.push(Namespace::ControlGroups);
    }

    /// Has each start find nothing in a folder of the view.
    pub fn empty(&mut self, folder: &Path) {
        self.emptied.extend(CString::new(folder.as_os_str().as_bytes()));
    }

    /// Returns the steps that lead there. They need CAP_SYS_ADMIN, and what is opened by path before.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let join = |kind: &Namespace| Some(Step::Join(*kind, self.commons.of(*kind)?));
        let mut steps: Vec<Step<'_>> = self.users.iter().map(|_| Step::HoldProc).collect();
        steps.extend(self.joined.iter().filter_map(join));
        steps.extend(self.own.iter().copied().map(Step::Fresh));
        // It takes the way to everything else.
        if let Some(view) = &self.view {
            steps.push(Step::Join(Namespace::Mount, view.as_fd()));
            steps.extend((!self.fresh.is_empty()).then_some(Step::Fresh(Namespace::Mount)));
            steps.extend(self.fresh.iter().map(Step::Mount));
            steps.extend(self.emptied.iter().map(|folder| Step::Empty(folder)));
            // By its name, since a descriptor of the supervisor's would be a way back.
            steps.push(Step::DirectoryNamed(&self.directory));
        }
        // Behind all that takes power over them, of which none is left in there.
        steps.extend(self.users.iter().map(Step::Users));
        steps
    }
}
