//! Says what was prepared, and what could not be.

use bailiwick_sys::identity::Identity;

use super::account::Account;
use super::machine::Machine;
use super::paths::binds_any_port;
use super::prepared::Prepared;
use super::report::{Aspect, Enforced, Missing};
use super::tree::Tree;
use crate::spec::{Preset, Sandbox};

impl Prepared {
    /// Fills in what `enforced` and `missing` say.
    pub(super) fn describe(&mut self, sandbox: &Sandbox, machine: &Machine) {
        self.enforce(Aspect::User, self.describe_user());
        self.enforce(Aspect::Capabilities, self.capabilities.to_string());
        if self.preset != Preset::None {
            self.enforce(Aspect::NewPrivileges, "no_new_privs");
            self.enforce(Aspect::Inspection, "not dumpable");
        }
        if self.filters.is_some() {
            let running = self.running_filter().map_or("", |_| ", lists of allowed calls once it runs");
            self.enforce(Aspect::SystemCalls, format!("seccomp, lists of refused calls{running}"));
        }
        if self.rulesets.is_some() {
            self.describe_landlock(sandbox, machine.landlock_abi);
        }
        let closed = self.granted.iter().chain([&self.directory]);
        let closed = closed.filter_map(|granted| granted.closed_to(self.account.identity()));
        self.missing.extend(closed.map(|why| Missing { what: Aspect::Files, why: why.into() }));
        self.limits.report(&mut self.enforced);
        match self.tree {
            Tree::Cgroup => self.enforce(Aspect::Descendants, "cgroup.kill"),
            Tree::User { .. } => self.enforce(Aspect::Descendants, "SIGKILL to everything of its user"),
            Tree::Alone if self.running_filter().is_some() => {
                self.enforce(Aspect::Descendants, "seccomp, it cannot fork");
            }
            Tree::Alone => {
                let why = "what it starts may outlive it: there is neither cgroup.kill nor a user of its own";
                self.missing.push(Missing { what: Aspect::Descendants, why: why.into() });
            }
        }
    }

    fn describe_user(&self) -> String {
        let Identity { uid, gid } = self.account.identity();
        match self.account {
            Account::Own(_) => format!("uid {uid}, nobody else's"),
            Account::Shared(_) => format!("uid {uid}, gid {gid}"),
            Account::Inherited(_) => format!("uid {uid}, the supervisor's"),
        }
    }

    fn describe_landlock(&mut self, sandbox: &Sandbox, abi: u32) {
        let paths = self.granted.len();
        self.enforce(Aspect::Files, format!("Landlock ABI {abi}, {paths} granted paths"));
        if abi < TCP_ABI {
            self.missing
                .push(Missing { what: Aspect::Tcp, why: "Landlock before ABI 4 bounds no ports".into() });
        } else {
            let bind = if binds_any_port(sandbox) { "any".to_owned() } else { list(&sandbox.tcp_bind) };
            let connect = list(&sandbox.tcp_connect);
            let names =
                if sandbox.preset == Preset::NetClient { "; UDP is open, for name servers" } else { "" };
            self.enforce(Aspect::Tcp, format!("Landlock, bind {bind}, connect {connect}{names}"));
        }
        if abi < SCOPE_ABI {
            self.missing
                .push(Missing { what: Aspect::Scope, why: "Landlock before ABI 6 bounds no signals".into() });
        } else {
            self.enforce(Aspect::Scope, "Landlock, signals and abstract sockets of its own processes only");
        }
    }

    fn enforce(&mut self, what: Aspect, by: impl Into<String>) {
        self.enforced.push(Enforced { what, by: by.into() });
    }
}

fn list(ports: &[u16]) -> String {
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(" ") }
}

/// The version of Landlock's interface that knows TCP ports.
pub(super) const TCP_ABI: u32 = 4;
/// The version of Landlock's interface that bounds signals and abstract sockets.
const SCOPE_ABI: u32 = 6;
