//! The gallery runs without any privilege, and as root it gives up all but one, for a moment.

mod support;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use support::gallery::{Gallery, folder, folder_in};
use tempfile::TempDir;

/// A user that this machine need not know.
const USER: u32 = 4242;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Returns a command that runs another one as a user who is not root.
fn unprivileged() -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", &USER.to_string(), "--regid", &USER.to_string(), "--clear-groups"]);
    }
    command
}

/// Where user namespaces can be made, makes one in which none can be made; then runs the arguments in it.
const REFUSED: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
    exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all \"$@\"";

/// Copies the gallery to where every user may run it.
fn anybodys_gallery() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
    fs::copy(env!("CARGO_BIN_EXE_gallery"), place.path().join("gallery")).expect("copied");
    place
}

fn assert_serves(gallery: &Gallery) {
    let mut client = gallery.client();
    for path in ["/", "/thumb/b.jpg?w=160", "/file/a.png", "/processes"] {
        let answer = client.get(path).expect(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let picture = fs::read(gallery.path("a.png")).expect("readable");
    assert_eq!(client.put("/file/new.png", &picture).expect("answered").status, 201);
}

fn processes(gallery: &Gallery) -> serde_json::Value {
    let json = [("Accept", "application/json")];
    let answer = gallery.client().request("GET", "/processes", &json, b"").expect("answered");
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[test]
fn it_serves_without_privileges_where_user_namespaces_are_refused() {
    let (place, pictures) = (anybodys_gallery(), folder());
    let may_make = unprivileged().args(["unshare", "--user", "true"]).stderr(Stdio::null()).status();
    let mut command = unprivileged();
    if may_make.expect("setpriv and unshare belong to every system").success() {
        command.args(["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", REFUSED, "sh"]);
    }
    command.arg(place.path().join("gallery")).arg(pictures.path()).args(["--listen", "127.0.0.1:0"]);
    let mut gallery = Gallery::started(command, pictures);
    assert_serves(&gallery);
    let tree = processes(&gallery);
    assert_ne!(tree["uid"], 0, "{tree}");
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

#[test]
fn as_root_it_serves_a_folder_below_a_closed_home() {
    if !is_root() {
        // Not `eprintln!`, which the runner keeps to itself as long as the test passes.
        let why = "only root may listen at port 80 and give folders away";
        let _ = writeln!(io::stderr(), "SKIPPED as_root_it_serves_a_folder_below_a_closed_home: {why}");
        return;
    }
    // A temporary folder of root is closed to everybody else.
    let home = tempfile::tempdir().expect("a temporary folder");
    let pictures = folder_in(home.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gallery"));
    // Port 80 of an address that nobody else uses: the whole network 127/8 is this machine.
    let address = format!("127.80.{}.{}:80", std::process::id() >> 8 & 0xff, std::process::id() & 0xff);
    command.arg(pictures.path()).args(["--listen", &address]);
    let mut gallery = Gallery::started(command, pictures);
    assert_eq!(gallery.address.to_string(), address);
    assert_serves(&gallery);
    let tree = processes(&gallery);
    let workers = tree["workers"].as_array().expect("workers");
    for worker in workers {
        let held: &[&str] = if worker["name"] == "binder" { &["CAP_NET_BIND_SERVICE"] } else { &[] };
        assert_eq!(worker["capabilities"], serde_json::json!(held), "{worker}");
        assert_ne!(worker["uid"], 0, "{worker}");
    }
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}
