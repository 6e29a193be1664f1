//! Folders of root's that a worker is granted to write.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bailiwick_supervisor::spec::{Preset, Worker};

use crate::bench::{Bench, worker};

/// A folder of root's for everybody to see, in which `out` is one that only root can write.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().canonicalize().expect("a folder").join("out");
    std::fs::create_dir(&out).expect("a folder");
    for path in [folder.path(), &out] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own folder");
    }
    (folder, out)
}

fn writer(out: &Path) -> Worker {
    let mut writer = worker(Preset::Sealed);
    writer.sandbox.read_write_paths = vec![out.to_owned()];
    writer
}

fn owner(path: &Path) -> u32 {
    path.metadata().expect("it is there").uid()
}

fn told(bench: &Bench) -> Vec<String> {
    bench.prepared().missing().iter().map(ToString::to_string).collect()
}

pub(super) fn an_empty_folder_of_roots_is_given_to_the_worker_that_is_granted_to_write_it() {
    let (_folder, out) = folder();
    std::fs::write(out.join(".gitignore"), "*").expect("a file");
    let write = format!("write {}", out.join("file").display());
    let mut bench = Bench::new(writer(&out));
    let uid = bench.prepared().identity().uid;
    assert_eq!(told(&bench), [""; 0], "it can be written");
    assert_eq!(bench.start_confined().ask(&write), "ok");
    assert_eq!((owner(&out), owner(&out.join("file")), owner(&out.join(".gitignore"))), (uid, uid, 0));
    drop(bench);
    // Another run, of another supervisor, has the same user, and finds its files.
    let mut bench = Bench::new(writer(&out));
    assert_eq!((bench.prepared().identity().uid, told(&bench)), (uid, vec![]));
    assert_eq!(bench.start_confined().ask(&write), "ok");
}

pub(super) fn a_folder_of_roots_that_holds_something_stays_roots() {
    let (_folder, out) = folder();
    std::fs::write(out.join("precious"), "").expect("a file");
    let empty = out.with_file_name("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let mut writer = writer(&empty);
    writer.sandbox.read_write_paths.push(out.clone());
    let error = Bench::try_new(writer.clone()).err().expect("a refusal");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "worker probe is granted to write {}, which belongs to root",
            out.display()
        ))
    );
    assert!(text.contains("chown -R USER"), "{text}");
    assert_eq!(error.exit_code(), 78);
    assert_eq!((owner(&out), owner(&empty)), (0, 0), "a refusal changes nothing");
    // A link in place of a keeper leads elsewhere.
    std::fs::remove_file(out.join("precious")).expect("our own file");
    std::os::unix::fs::symlink("/etc/passwd", out.join(".gitkeep")).expect("a link");
    assert!(Bench::try_new(writer).is_err());
}

pub(super) fn a_folder_at_the_root_of_the_file_system_stays_roots() {
    let before = owner(Path::new("/usr"));
    assert!(Bench::try_new(writer(Path::new("/usr"))).is_err());
    assert!(Bench::try_new(writer(Path::new("/"))).is_err());
    assert_eq!((owner(Path::new("/usr")), owner(Path::new("/"))), (before, 0));
}

pub(super) fn two_workers_do_not_share_a_user_by_way_of_a_folder() {
    let (_folder, out) = folder();
    let first = Bench::new(writer(&out));
    let error = Bench::try_new(writer(&out)).err().expect("a refusal").to_string();
    let uid = first.prepared().identity().uid;
    assert!(error.contains(&format!("belongs to uid {uid}, which is another worker's now")), "{error}");
}
