//! Paths that are reached beside what the manifest grants: the lines of `places.txt`, which explains itself.

use std::path::Path;

use super::ruleset::Access;
use crate::rules::rules_of;

/// A line of the list.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// `loader`, `devices`, or a preset's name.
    pub who: &'static str,
    /// What may be done there.
    pub access: Access,
    /// The path; below a folder it holds for everything.
    pub path: &'static Path,
    /// Why.
    pub reason: &'static str,
}

/// Returns every line of the list.
fn places() -> impl Iterator<Item = Place> {
    rules_of(LIST).map(|line| Place::read(line).expect("the tests read every line"))
}

/// Returns what is needed by somebody of the list, and by a loader if there is one.
pub fn needed(who: &'static str, is_loaded: bool) -> impl Iterator<Item = Place> {
    places().filter(move |place| place.who == who || (place.who == "loader" && is_loaded))
}

impl Place {
    fn read(line: &'static str) -> Option<Self> {
        let (place, reason) = line.split_once(" : ")?;
        let [who, access, path] = place.split(' ').collect::<Vec<_>>()[..] else { return None };
        let access = match access {
            "read" => Access::Read,
            "write" => Access::Write,
            "execute" => Access::Execute,
            _ => return None,
        };
        Some(Self { who, access, path: Path::new(path), reason })
    }
}

const LIST: &str = include_str!("places.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_well_formed_and_has_a_reason() {
        for line in rules_of(LIST) {
            assert!(line.split_once(" : ").is_some_and(|(_, reason)| reason.len() > 4), "{line}");
            let place = Place::read(line).unwrap_or_else(|| panic!("{line}"));
            assert!(
                place.path.is_absolute() && ["loader", "net-client", "exec", "devices"].contains(&place.who),
                "{line}"
            );
        }
    }

    #[test]
    fn names_are_looked_up_and_programs_executed() {
        assert!(places().any(|place| place.who == "loader" && place.path == Path::new("/etc/ld.so.cache")));
        assert!(
            places().all(|place| ["exec", "devices"].contains(&place.who) || place.access == Access::Read)
        );
        assert!(places().any(|place| place.access == Access::Execute));
    }

    #[test]
    fn a_line_that_says_what_nobody_understands_is_refused() {
        for line in ["exec read /dev/zero", "loader run /lib : no access", "exec read : no path"] {
            assert!(Place::read(line).is_none(), "{line}");
        }
    }
}
