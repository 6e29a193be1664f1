//! A path that a worker was denied, as it is told.

use bailiwick_supervisor::check::escape;
use bailiwick_sys::Errno;
use bailiwick_wire::denials::path::{DeniedPath, Place, Want};
use serde::Serialize;

/// A path that was denied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Path {
    /// As much of it as the worker had room to note.
    path: String,
    is_cut: bool,
    /// The descriptor of the worker below which it begins; without one it begins at the root.
    below_descriptor: Option<u32>,
    /// Why the call failed, by the kernel's name.
    error: String,
    /// `read`, `write`, or `name`: to make, move or remove it.
    wanted: &'static str,
    /// `hidden` if it lies beside everything that the worker was granted, `granted` if within, `unknown` without a view.
    place: &'static str,
}

impl Path {
    pub(super) fn of(denied: &DeniedPath) -> Self {
        Self {
            path: denied.text.clone(),
            is_cut: denied.is_cut,
            below_descriptor: denied.below,
            error: format!("{:?}", Errno::from_raw(denied.errno.into())),
            wanted: match denied.want {
                Want::Read => "read",
                Want::Write => "write",
                Want::Name => "name",
            },
            place: match denied.place {
                Place::Unknown => "unknown",
                Place::Hidden => "hidden",
                Place::Granted => "granted",
            },
        }
    }

    /// Looks whether it is there for whoever asks, where the worker was told that it is not.
    pub(super) fn may_be_here(&self) -> bool {
        self.error != "ENOENT" || self.is_cut || std::path::Path::new(&self.path).symlink_metadata().is_ok()
    }

    /// Says what a call wanted with it, and how it failed.
    pub(super) fn words(&self, call: &str) -> String {
        let cut = if self.is_cut { ".." } else { "" };
        let below = self.below_descriptor.map_or_else(String::new, |fd| format!(" below descriptor {fd}"));
        let wanted = if self.wanted == "name" { "make or remove" } else { self.wanted };
        let place = match (self.place, self.error.as_str()) {
            ("hidden", "ENOENT") => ", hidden or nowhere",
            ("hidden", _) => ", beside what it was granted",
            ("granted", _) => ", in what it was granted",
            _ => "",
        };
        format!("{call}(\"{}\"{cut}{below}) to {wanted}: {}{place}", escape(&self.path), self.error)
    }

    /// Says why no line of a sandbox is told for it.
    pub(super) fn why_no_line(&self) -> &'static str {
        match self.place {
            "granted" => "its owner and mode say so, or `inaccessible_paths`",
            _ => "no line is known that allows it",
        }
    }
}
