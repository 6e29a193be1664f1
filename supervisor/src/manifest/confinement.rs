//! The keys of a sandbox that become system call filters, or settings of the kernel akin to them.

use bailiwick_sys::Errno;
use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Fields, Reader};
use super::values::{Choice, FromToml};
use crate::spec::{Architectures, Denial, Families, Namespace, Sandbox};

/// Reads them into the sandbox.
pub(super) fn read(fields: &mut Fields<'_, '_>, sandbox: &mut Sandbox) {
    fields.set("udp_bind", &mut sandbox.udp_bind);
    fields.set("exec_paths", &mut sandbox.exec_paths);
    fields.set("no_exec_paths", &mut sandbox.no_exec_paths);
    fields.set("dumpable", &mut sandbox.dumpable);
    fields.set("no_new_privileges", &mut sandbox.no_new_privileges);
    let calls = &mut sandbox.calls;
    fields.set("system_call_filter", &mut calls.filter);
    fields.set("system_call_error_number", &mut calls.denial);
    fields.set("system_call_log", &mut calls.log);
    fields.set("log_denied_paths", &mut calls.log_denied_paths);
    fields.set("system_call_architectures", &mut calls.architectures);
    fields.set("restrict_address_families", &mut calls.families);
    calls.namespaces = fields.read::<Namespaces>("restrict_namespaces").map(|allowed| allowed.0);
    fields.set("restrict_realtime", &mut calls.restrict_realtime);
    fields.set("restrict_suid_sgid", &mut calls.restrict_suid_sgid);
    fields.set("lock_personality", &mut calls.lock_personality);
    fields.set("memory_deny_write_execute", &mut calls.memory_deny_write_execute);
    fields.set("memfd_no_exec", &mut calls.memfd_no_exec);
}

/// The kinds of namespaces that may be made: none of them if they are restricted.
struct Namespaces(Vec<Namespace>);

impl Choice for Namespace {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("cgroup", Self::Cgroup),
        ("ipc", Self::Ipc),
        ("mnt", Self::Mount),
        ("net", Self::Net),
        ("pid", Self::Pid),
        ("time", Self::Time),
        ("user", Self::User),
        ("uts", Self::Uts),
    ];
    const LATER: &'static [&'static str] = &[];
}

impl Choice for Architectures {
    const WORDS: &'static [(&'static str, Self)] = &[("native", Self::Native)];
    const LATER: &'static [&'static str] = &[];
}

impl FromToml for Namespaces {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(true) => Some(Self(Vec::new())),
            DeValue::Boolean(false) => Some(Self(Namespace::ALL.into())),
            DeValue::Array(_) => Vec::from_toml(value, key, reader).map(Self),
            _ => {
                let help = "write true, false, or those that may be made: [\"net\", \"ipc\"]";
                reader.mismatch(key, value, "true, false or a list of namespaces", Some(help.into()));
                None
            }
        }
    }
}

impl FromToml for Families {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let names: Vec<String> = match value.get_ref() {
            DeValue::String(none) if none == "none" => return Some(Self::Only(Vec::new())),
            DeValue::Array(_) => Vec::from_toml(value, key, reader)?,
            _ => Vec::new(),
        };
        let taken_away: Vec<_> =
            names.iter().filter_map(|name| name.strip_prefix('~')).map(str::to_owned).collect();
        match (names.len(), taken_away.len()) {
            (1.., 0) => Some(Self::Only(names)),
            (all, some) if all > 0 && all == some => Some(Self::Except(taken_away)),
            _ => {
                let help =
                    "write those that may be made, or, each with `~`, those that may not: [\"AF_INET\"]";
                reader.mismatch(key, value, "\"none\" or a list of families", Some(help.into()));
                None
            }
        }
    }
}

impl FromToml for Denial {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let read = match value.get_ref() {
            DeValue::String(text) if text == "kill" => Some(Self::Kills),
            DeValue::String(text) => {
                let named = |number: &u16| format!("{:?}", Errno::from_raw((*number).into())) == *text;
                (1..=MAX_ERRNO).find(named).map(Self::Fails)
            }
            _ => None,
        };
        if read.is_none() {
            let help = "write the name of an error as errno(3) has it, in quotes: \"EPERM\", \"ENOSYS\"";
            reader.mismatch(key, value, "the name of an error, or \"kill\"", Some(help.into()));
        }
        read
    }
}

/// The highest number of an error that has a name.
const MAX_ERRNO: u16 = 133;
