//! The keys of a sandbox that shape what is seen of files.

use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Fields, Reader};
use super::values::{Choice, FromToml, parse_bytes};
use super::vocabulary::Table;
use crate::spec::{
    Bind, Bounds, HidePid, ProcSubset, ProtectHome, ProtectSystem, Sandbox, Scoped, Temporary,
};

/// Reads them into the sandbox.
pub(super) fn read(fields: &mut Fields<'_, '_>, sandbox: &mut Sandbox) {
    let view = &mut sandbox.view;
    fields.set("temporary_file_system", &mut view.temporary);
    fields.set("bind_paths", &mut view.binds);
    fields.set("bind_read_only_paths", &mut view.read_only_binds);
    fields.set("root_directory", &mut view.root_directory);
    fields.set("private_devices", &mut view.private_devices);
    fields.set("protect_system", &mut view.protect_system);
    fields.set("protect_home", &mut view.protect_home);
    fields.set("protect_proc", &mut view.protect_proc);
    fields.set("proc_subset", &mut view.proc_subset);
    if let Some(mut table) = fields.table("landlock", Table::Landlock) {
        sandbox.landlock_scope = table.read("scope");
        table.finish();
    }
}

impl Choice for Scoped {
    const WORDS: &'static [(&'static str, Self)] =
        &[("signal", Self::Signals), ("abstract-unix", Self::AbstractSockets)];
    const LATER: &'static [&'static str] = &[];
}

impl Choice for HidePid {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("invisible", Self::Invisible),
        ("ptraceable", Self::Ptraceable),
        ("noaccess", Self::NoAccess),
        ("default", Self::Off),
    ];
    const LATER: &'static [&'static str] = &[];
}

impl Choice for ProcSubset {
    const WORDS: &'static [(&'static str, Self)] = &[("pid", Self::Pid), ("all", Self::All)];
    const LATER: &'static [&'static str] = &[];
}

impl FromToml for ProtectSystem {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(false) => return Some(Self::No),
            DeValue::Boolean(true) => return Some(Self::Programs),
            DeValue::String(word) if word == "full" => return Some(Self::Full),
            DeValue::String(word) if word == "strict" => return Some(Self::Strict),
            _ => {}
        }
        reader.mismatch(key, value, "true, false, \"full\" or \"strict\"", None);
        None
    }
}

impl FromToml for ProtectHome {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let help = match value.get_ref() {
            DeValue::Boolean(false) => return Some(Self::No),
            DeValue::Boolean(true) => return Some(Self::Hidden),
            DeValue::String(word) if word == "read-only" => return Some(Self::ReadOnly),
            DeValue::String(word) if word == "tmpfs" => Some(
                "write true: what is below a hidden home cannot be granted by its own name; bind it elsewhere",
            ),
            _ => None,
        };
        reader.mismatch(key, value, "true, false or \"read-only\"", help.map(str::to_owned));
        None
    }
}

impl FromToml for Bind {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::from_toml(value, key, reader)?;
        let ends = text.split_once(':').filter(|(from, _)| !from.is_empty());
        match ends.and_then(|(from, to)| Some((from, name(to)?))) {
            Some((from, to)) => Some(Self { from: reader.folder.join(from).components().collect(), to }),
            None => {
                let help = "write both: \"/srv/data:/data\"; the second is the name that the worker sees, and not `/`";
                reader.mismatch(key, value, "a path, a colon and another path", Some(help.into()));
                None
            }
        }
    }
}

impl FromToml for Temporary {
    fn from_toml(value: &Spanned<DeValue<'_>>, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::from_toml(value, key, reader)?;
        let (at, options) = text.split_once(':').unwrap_or((&text, ""));
        let found = name(at).and_then(|at| Some(Self { at, bounds: bounds(options)? }));
        if found.is_none() {
            let help = "write its name, and how much fits into it where that is not 64 MiB and 4096 files: \
                        \"/var/cache:size=8M,nr_inodes=256\"";
            reader.mismatch(
                key,
                value,
                "a path other than `/`, with size and nr_inodes or without",
                Some(help.into()),
            );
        }
        found
    }
}

/// Reads a name in a view: an absolute path that goes nowhere back, and is not the root.
fn name(text: &str) -> Option<PathBuf> {
    let below = Path::new(text).strip_prefix("/").ok()?;
    let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    (is_plain && below.components().next().is_some())
        .then(|| Path::new("/").join(below).components().collect())
}

/// Reads what fits into a folder in memory.
fn bounds(options: &str) -> Option<Bounds> {
    let mut bounds = Bounds::default();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (option, number) = option.split_once('=')?;
        // The kernel writes sizes with small letters too.
        let number = parse_bytes(&number.to_ascii_uppercase()).filter(|number| *number > 0)?;
        match option {
            "size" => bounds.bytes = number,
            "nr_inodes" => bounds.files = number.try_into().ok()?,
            _ => return None,
        }
    }
    Some(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_memory_has_a_name_and_bounds() {
        let of = |bytes, files| Some(Bounds { bytes, files });
        assert_eq!(bounds(""), Some(Bounds::default()));
        assert_eq!(bounds("size=8M,nr_inodes=4k"), of(8 << 20, 4096));
        assert_eq!(bounds("nr_inodes=16"), of(64 << 20, 16));
        for text in ["size", "size=", "size=0", "mode=0777", "nr_inodes=8G", "size=1M;x"] {
            assert_eq!(bounds(text), None, "{text}");
        }
        assert_eq!(name("/var//cache/"), Some("/var/cache".into()));
        for text in ["", "/", "cache", "/var/../etc", "//"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
