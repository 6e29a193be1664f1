//! The gallery runs without any privilege, and as root it gives up all but one, for a moment.

mod support;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::gallery::{Gallery, folder, folder_in, own_folder_in};
use support::program::{Program, copy_program};
use tempfile::TempDir;

/// A user that this machine need not know.
const USER: u32 = 4242;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Returns a command that runs another one as a user who is not root.
fn unprivileged() -> Command {
    let mut command = Command::new("setpriv");
    // Whoever becomes another user has to say anew with whom it ends.
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args(["--reuid", &USER.to_string(), "--regid", &USER.to_string(), "--clear-groups"]);
    }
    command
}

/// Where user namespaces can be made, makes one in which none can be made; then runs the arguments in it.
const REFUSED: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
    exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all --pdeathsig KILL \"$@\"";

/// Copies the gallery to where every user may run it.
fn anybodys_gallery() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    set_mode(place.path(), 0o755);
    copy_program(env!("CARGO_BIN_EXE_gallery"), &place.path().join("gallery"));
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

/// Tells whether root runs the test, and says aloud that it is passed over if not. Not by `eprintln!`, which the runner
/// keeps to itself as long as the test passes.
fn only_root(test: &str, why: &str) -> bool {
    if !is_root() {
        let _ = writeln!(io::stderr(), "SKIPPED {test}: {why}");
    }
    is_root()
}

/// Returns the gallery as root starts it without an address: at port 80, but of an address that nobody else uses. The
/// whole network 127/8 is this machine.
fn roots_gallery(folder: Option<&Path>, number: u8) -> (Command, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gallery"));
    let address = format!("127.{number}.{}.{}:80", std::process::id() >> 8 & 0xff, std::process::id() & 0xff);
    command.args(folder).args(["--listen", &address]);
    (command, address)
}

/// Makes a folder as the home of root is, closed to everybody else.
fn closed_home() -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    set_mode(home.path(), 0o700);
    home
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our folder");
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
    // The folder of the test may lie where that user may not go.
    command.current_dir(place.path());
    let mut gallery = Gallery::started(command, pictures);
    assert_serves(&gallery);
    let tree = processes(&gallery);
    assert_ne!(tree["uid"], 0, "{tree}");
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

#[test]
fn as_root_it_serves_a_folder_below_a_closed_home() {
    let why = "only root may listen at port 80 and give folders away";
    if !only_root("as_root_it_serves_a_folder_below_a_closed_home", why) {
        return;
    }
    let home = closed_home();
    let pictures = folder_in(home.path());
    let (command, address) = roots_gallery(Some(pictures.path()), 80);
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

#[test]
fn as_root_without_a_folder_it_draws_pictures_and_takes_more() {
    if !only_root("as_root_without_a_folder_it_draws_pictures_and_takes_more", "only root has port 80") {
        return;
    }
    let (command, _) = roots_gallery(None, 81);
    let mut gallery = Gallery::of_its_own(command);
    let mut client = gallery.client();
    let index = client.get("/").expect("answered").text();
    let name = index.split("/file/").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture");
    let picture = client.get(&format!("/file/{name}")).expect("answered");
    assert_eq!(picture.status, 200, "{}", picture.text());
    assert_eq!(client.put(&format!("/file/new-{name}"), &picture.body).expect("answered").status, 201);
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

#[test]
fn as_root_a_folder_of_roots_is_shown_and_takes_no_uploads() {
    if !only_root(
        "as_root_a_folder_of_roots_is_shown_and_takes_no_uploads",
        "only root has folders of root's",
    ) {
        return;
    }
    let home = closed_home();
    let pictures = own_folder_in(home.path());
    set_mode(pictures.path(), 0o755);
    let (command, _) = roots_gallery(Some(pictures.path()), 82);
    let mut gallery = Gallery::started(command, pictures);
    let mut client = gallery.client();
    let index = client.get("/").expect("answered").text();
    assert!(index.contains("a.png") && !index.contains("Add pictures"), "{index}");
    for path in ["/thumb/b.jpg?w=160", "/file/a.png", "/processes"] {
        assert_eq!(client.get(path).expect(path).status, 200, "{path}");
    }
    let picture = fs::read(gallery.path("a.png")).expect("readable");
    for name in ["new.png", "a.png"] {
        let refused = client.put(&format!("/file/{name}"), &picture).expect("answered");
        assert_eq!(refused.status, 403, "{name}");
        assert!(refused.text().contains("chown -R USER"), "{}", refused.text());
    }
    assert_eq!(fs::read_dir(gallery.path("")).expect("read").count(), support::gallery::PICTURES.len());
    let said = gallery.program.journal().lines().iter().any(|line| line.text.contains("takes no uploads"));
    assert!(said, "whoever started it learns why");
    set_mode(&gallery.path("b.jpg"), 0o600);
    let closed = client.get("/file/b.jpg").expect("answered");
    assert!(closed.status == 403 && closed.text().contains("owner and mode"), "{}", closed.text());
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

#[test]
fn as_root_an_empty_folder_of_roots_takes_uploads() {
    if !only_root("as_root_an_empty_folder_of_roots_takes_uploads", "only root has folders of root's") {
        return;
    }
    let empty = tempfile::tempdir().expect("a temporary folder");
    let (command, _) = roots_gallery(Some(empty.path()), 83);
    let mut gallery = Gallery::started(command, empty);
    let mut client = gallery.client();
    assert!(client.get("/").expect("answered").text().contains("Add pictures"));
    let png = b"\x89PNG\r\n\x1a\nnot a picture, but it begins like one";
    assert_eq!(client.put("/file/new.png", png).expect("answered").status, 201);
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

#[test]
fn as_root_a_folder_that_only_root_may_see_is_refused_with_what_to_do() {
    let test = "as_root_a_folder_that_only_root_may_see_is_refused_with_what_to_do";
    if !only_root(test, "only root has folders of root's") {
        return;
    }
    let pictures = own_folder_in(&std::env::temp_dir());
    set_mode(pictures.path(), 0o700);
    let (command, _) = roots_gallery(Some(pictures.path()), 84);
    let mut gallery = Program::start(command);
    let said =
        gallery.journal().wait_for(0, |line| line.contains("belongs to root").then(|| line.to_owned()));
    assert!(!gallery.wait().success(), "{said}");
    for part in ["mode 0700", "chmod -R o+rX", "chown -R USER", &pictures.path().display().to_string()] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
}
