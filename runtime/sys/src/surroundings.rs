//! The namespaces that a start moves into: joined, where they were made before, or its own.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::fresh_mount::FreshMount;
use crate::namespaces::{Commons, Namespace};
use crate::process::Step;
use crate::view::View;

/// What a start joins, and what it makes.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// What may be joined together with others.
    pub commons: Arc<Commons>,
    /// Which of them are.
    pub joined: Vec<Namespace>,
    /// What nobody else is in.
    pub own: Vec<Namespace>,
    /// What is seen of files, if not what the supervisor sees.
    pub view: Option<Rc<View>>,
    /// What is mounted in the view for one life.
    pub fresh: Vec<FreshMount>,
    /// Folders in the view that nothing of a former life is left in.
    emptied: Vec<CString>,
    /// The working directory in the view.
    directory: CString,
}

impl Surroundings {
    /// Returns those of somebody who joins nothing yet.
    pub fn among(commons: Arc<Commons>) -> Self {
        Self { commons, ..Self::default() }
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

    /// Has each start find nothing in a folder of the view.
    pub fn empty(&mut self, folder: &Path) {
        self.emptied.extend(CString::new(folder.as_os_str().as_bytes()));
    }

    /// Returns the steps that lead there. They need CAP_SYS_ADMIN, and what is opened by path before.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let join = |kind: &Namespace| Some(Step::Join(*kind, self.commons.of(*kind)?));
        let mut steps: Vec<Step<'_>> = self.joined.iter().filter_map(join).collect();
        steps.extend(self.own.iter().copied().map(Step::Fresh));
        // Last: it takes the way to everything else.
        if let Some(view) = &self.view {
            steps.push(Step::Join(Namespace::Mount, view.as_fd()));
            steps.extend((!self.fresh.is_empty()).then_some(Step::Fresh(Namespace::Mount)));
            steps.extend(self.fresh.iter().map(Step::Mount));
            steps.extend(self.emptied.iter().map(|folder| Step::Empty(folder)));
            // By its name, since a descriptor of the supervisor's would be a way back.
            steps.push(Step::DirectoryNamed(&self.directory));
        }
        steps
    }
}
