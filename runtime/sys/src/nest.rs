//! Which namespaces a child is born in: one of processes, and one of users around it where the parent is not root.

use std::sync::Arc;

use crate::realm::Realm;

/// The namespaces that a child is born in.
#[derive(Clone, Debug, Default)]
pub struct Nest {
    /// A user namespace, joined first: in it the rest needs no privilege. On its way to exec the child makes one of its own
    /// within.
    pub realm: Option<Arc<Realm>>,
    /// A PID namespace.
    pub pids: bool,
}

/// What the machine gives to who is born in a nest.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// Where everything is made that they join, unless the supervisor is root.
    pub realm: Option<Arc<Realm>>,
    /// Whether they can have a `/proc` of their own PID namespace.
    pub own_proc: bool,
    /// Whether the tasks of each user namespace are counted by themselves.
    pub counts_tasks: bool,
}

impl Space {
    /// Asks the kernel what it gives to who is born in `nest`.
    pub fn of(nest: &Nest) -> Self {
        let realm = nest.realm.clone();
        let counts_tasks = realm.as_ref().is_some_and(|realm| realm.counts_tasks());
        Self { own_proc: nest.has_own_proc(), realm, counts_tasks }
    }

    /// Returns where views and common namespaces are made.
    pub fn realm(&self) -> Option<&Realm> {
        self.realm.as_deref()
    }
}

/// What namespaces a child should be born in, and what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The parent changes users, so that nobody needs a user namespace.
    pub by_root: bool,
    /// A sandbox is around it.
    pub is_confined: bool,
    /// It may start other programs in there.
    pub may_fork: bool,
    /// It is granted capabilities.
    pub is_capable: bool,
    /// Whether a PID namespace is declared.
    pub pids: Option<bool>,
    /// Whether a user namespace is declared.
    pub users: Option<bool>,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// A user namespace.
    pub users: bool,
    /// A PID namespace.
    pub pids: bool,
    /// It is declared, so that nothing starts without.
    pub required: bool,
}

/// Why what is declared cannot be, on no machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A user namespace is declared, and the parent is root.
    #[error("as root each worker has a user of its own, and no user namespace")]
    Root,
    /// A user namespace is declared, or needed, for who is granted capabilities.
    #[error("a capability in a user namespace is none over what belongs to the machine")]
    Capable,
    /// A PID namespace is declared without the user namespace that it needs.
    #[error("without root a PID namespace needs a user namespace around it")]
    Alone,
}

impl Choice {
    /// Chooses: a PID namespace for who may fork; without root both for everybody in a sandbox.
    ///
    /// # Errors
    /// See [`Contradiction`].
    pub fn of(wanted: Wanted) -> Result<Self, Contradiction> {
        let Wanted { users, pids, is_confined, is_capable, .. } = wanted;
        if wanted.by_root {
            let pids_too = pids.unwrap_or(wanted.may_fork);
            let choice = Self { users: false, pids: pids_too, required: pids == Some(true) };
            return if users == Some(true) { Err(Contradiction::Root) } else { Ok(choice) };
        }
        let required = [users, pids].contains(&Some(true));
        let users = users.unwrap_or(!is_capable && (is_confined || required));
        match (users, pids) {
            _ if required && is_capable => Err(Contradiction::Capable),
            (false, Some(true)) => Err(Contradiction::Alone),
            _ => Ok(Self { users, pids: users && pids.unwrap_or(is_confined), required }),
        }
    }

    /// Returns what was chosen, `realm` for the user namespace; `None` for the parent's own namespaces.
    pub fn nest(self, realm: Option<&Arc<Realm>>) -> Option<Nest> {
        let Self { users, pids, .. } = self;
        (users || pids).then(|| Nest { realm: realm.filter(|_| users).cloned(), pids })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::user_namespace::OneUser;

    const SEALED: Wanted = Wanted {
        by_root: false,
        is_confined: true,
        may_fork: false,
        is_capable: false,
        pids: None,
        users: None,
    };
    const BARE: Wanted = Wanted { is_confined: false, ..SEALED };

    /// Returns users, pids, required.
    fn chosen(wanted: Wanted) -> Result<(bool, bool, bool), Contradiction> {
        Choice::of(wanted).map(|choice| (choice.users, choice.pids, choice.required))
    }

    #[test]
    fn as_root_only_who_may_fork_has_a_pid_namespace_unless_it_is_declared() {
        let sealed = Wanted { by_root: true, ..SEALED };
        assert_eq!(chosen(sealed), Ok((false, false, false)));
        assert_eq!(chosen(Wanted { may_fork: true, is_capable: true, ..sealed }), Ok((false, true, false)));
        assert_eq!(chosen(Wanted { may_fork: true, pids: Some(false), ..sealed }), Ok((false, false, false)));
        let bare = Wanted { by_root: true, ..BARE };
        assert_eq!(chosen(bare), Ok((false, false, false)));
        assert_eq!(chosen(Wanted { pids: Some(true), ..bare }), Ok((false, true, true)));
        assert_eq!(chosen(Wanted { users: Some(true), ..bare }), Err(Contradiction::Root));
    }

    #[test]
    fn without_root_whoever_is_in_a_sandbox_and_holds_nothing_has_both() {
        assert_eq!(chosen(SEALED), Ok((true, true, false)));
        assert_eq!(chosen(BARE), Ok((false, false, false)));
        assert_eq!(chosen(Wanted { is_capable: true, ..SEALED }), Ok((false, false, false)));
        assert_eq!(chosen(Wanted { users: Some(false), ..SEALED }), Ok((false, false, false)));
        assert_eq!(chosen(Wanted { pids: Some(false), ..SEALED }), Ok((true, false, false)));
    }

    #[test]
    fn what_is_declared_is_required_or_contradicts_itself() {
        assert_eq!(chosen(Wanted { pids: Some(true), ..BARE }), Ok((true, true, true)));
        assert_eq!(chosen(Wanted { users: Some(true), ..BARE }), Ok((true, false, true)));
        assert_eq!(
            chosen(Wanted { users: Some(true), pids: Some(false), ..SEALED }),
            Ok((true, false, true))
        );
        let alone = Wanted { pids: Some(true), users: Some(false), ..SEALED };
        assert_eq!(chosen(alone), Err(Contradiction::Alone));
        for declared in [Wanted { pids: Some(true), ..SEALED }, Wanted { users: Some(true), ..SEALED }] {
            assert_eq!(chosen(Wanted { is_capable: true, ..declared }), Err(Contradiction::Capable));
        }
    }

    #[test]
    fn nobody_is_called_root_in_a_user_namespace() {
        let of = |uid| OneUser::of(Identity { uid, gid: uid });
        assert_eq!(of(1000).maps(), ("1000 1000 1\n", "1000 1000 1\n"));
        assert_eq!(of(0).maps(), ("61184 0 1\n", "61184 0 1\n"));
    }
}
