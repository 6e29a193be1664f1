//! What a worker reaches in the file system, path by path.

use bailiwick_supervisor::sandbox::Access;
use bailiwick_supervisor::spec::{Preset, Sandbox, Worker};
use bailiwick_sys::landlock::places::needed;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Path {
    pub(super) path: String,
    /// `enter`, `read`, `write`, `execute` or `everything`; of what is taken away `no program` or `nothing`.
    pub(super) access: &'static str,
    pub(super) why: String,
}

/// Returns every path that a running worker reaches; what is below a folder is reached as well.
pub(super) fn of(worker: &Worker) -> Vec<Path> {
    let sandbox = &worker.sandbox;
    if sandbox.preset == Preset::None {
        let why = "there is no sandbox: what the user and the capabilities reach".to_owned();
        return vec![Path { path: "/".into(), access: "everything", why }];
    }
    let granted = |list: &[std::path::PathBuf], key: &'static str, access| {
        let path = |path: &std::path::PathBuf| Path {
            path: path.display().to_string(),
            access,
            why: key.to_owned(),
        };
        list.iter().map(path).collect::<Vec<_>>()
    };
    let mut all = granted(&sandbox.read_only_paths, "read_only_paths", "read");
    all.extend(granted(&sandbox.read_write_paths, "read_write_paths", "write"));
    all.extend(of_view(sandbox));
    all.extend(granted(&sandbox.exec_paths, "exec_paths", "execute"));
    all.extend(granted(&sandbox.no_exec_paths, "no_exec_paths", "no program"));
    all.extend(granted(&sandbox.inaccessible_paths, "inaccessible_paths", "nothing"));
    let who = match sandbox.preset {
        Preset::NetClient => "net-client",
        Preset::Exec => "exec",
        Preset::Sealed | Preset::NetServer | Preset::FsRo | Preset::None => return all,
    };
    all.extend(needed(who, false).map(|place| Path {
        path: place.path.display().to_string(),
        access: match place.access {
            Access::Enter => "enter",
            Access::Read => "read",
            Access::Write => "write",
            Access::Execute => "execute",
        },
        why: format!("preset {who}: {}", place.reason),
    }));
    all
}

/// Returns what is reached by the keys of its view.
fn of_view(sandbox: &Sandbox) -> Vec<Path> {
    let mut all = Vec::new();
    let view = &sandbox.view;
    for (list, key, access) in
        [(&view.read_only_binds, "bind_read_only_paths", "read"), (&view.binds, "bind_paths", "write")]
    {
        all.extend(list.iter().map(|bind| Path {
            path: bind.to.display().to_string(),
            access,
            why: format!("{key}: {}", bind.from.display()),
        }));
    }
    all.extend(view.root_directory.iter().map(|path| Path {
        path: "/".into(),
        access: if sandbox.preset == Preset::Exec { "execute" } else { "read" },
        why: format!("root_directory: {}", path.display()),
    }));
    all.extend(sandbox.temporaries().map(|folder| Path {
        path: folder.at.display().to_string(),
        access: "write",
        why: format!(
            "in memory, empty for each life, up to {} bytes in {} files",
            folder.bounds.bytes, folder.bounds.files
        ),
    }));
    all.extend(needed(sandbox.devices(), false).map(|place| Path {
        path: place.path.display().to_string(),
        access: if place.access == Access::Write { "write" } else { "read" },
        why: format!("private_devices: {}", place.reason),
    }));
    all
}
