//! Whom a name means that somebody gives from outside: `worker[.instance]/actor[/child]`, and nothing that is no such name.

use bailiwick_supervisor::manifest::is_name;

/// The longest name of an actor with those of its ancestors.
const PATH_BYTES_MAX: usize = 512;

/// An actor of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whom {
    name: String,
    /// Where the worker's part ends.
    slash: usize,
}

impl Whom {
    /// Reads the name of an actor or of a child of one.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn read(name: &str) -> Result<Self, String> {
        let wrong = || "expected the name of an actor: `WORKER/ACTOR`, or `WORKER.INSTANCE/ACTOR`".to_owned();
        let (worker, path) = name.split_once('/').ok_or_else(wrong)?;
        let is_worker = match worker.split_once('.') {
            Some((worker, instance)) => is_name(worker) && instance.parse::<u16>().is_ok_and(|n| n > 0),
            None => is_name(worker),
        };
        // Children may have names that no manifest has.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let is_path = path.len() <= PATH_BYTES_MAX && path.chars().all(is_plain);
        if !is_worker || !is_path || path.split('/').any(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), slash: worker.len() })
    }

    /// Reads the name of an actor that can be sent something: one that its worker declares.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn of_actor(name: &str) -> Result<Self, String> {
        let whom = Self::read(name)?;
        match is_name(whom.path()) {
            true => Ok(whom),
            false => {
                Err("only actors that their worker declares can be sent something, not their children"
                    .to_owned())
            }
        }
    }

    /// Returns it, if a method may have this name.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn method(self, method: &str) -> Result<Self, String> {
        let is_plain = |letter: char| letter.is_alphanumeric() || letter == '_';
        if method.is_empty() || method.len() > 255 || !method.chars().all(is_plain) {
            return Err("expected the name of a method: letters, digits and `_`".to_owned());
        }
        Ok(self)
    }

    /// Returns the whole name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the worker, with the number of its instance if one is meant.
    pub(crate) fn worker(&self) -> &str {
        &self.name[..self.slash]
    }

    /// Returns the name within the worker.
    pub(crate) fn path(&self) -> &str {
        &self.name[self.slash + 1..]
    }

    /// Returns how a grant names the actor.
    pub(crate) fn declared(&self) -> String {
        let worker = self.worker().split('.').next().unwrap_or_default();
        format!("{worker}/{}", self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_with_its_worker() {
        let whom = Whom::of_actor("web.2/front").expect("it is a name");
        assert_eq!((whom.worker(), whom.path(), &*whom.declared()), ("web.2", "front", "web/front"));
        assert_eq!(Whom::read("web/front/job-3").expect("it is a child").path(), "front/job-3");
        assert!(Whom::of_actor("web/front/job-3").is_err());
        for none in [
            "",
            "web",
            "web/",
            "/front",
            "web./front",
            "web.0/front",
            "web.x/front",
            "web/a//b",
            "we b/a",
            "web/a\n",
        ] {
            assert!(Whom::read(none).is_err(), "{none:?}");
        }
        assert!(whom.clone().method("get_all").is_ok());
        for none in ["", "get all", "get.all", "get\u{1b}"] {
            assert!(whom.clone().method(none).is_err(), "{none:?}");
        }
    }
}
