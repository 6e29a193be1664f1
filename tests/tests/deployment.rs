//! What is deployed: systemd's units, the package, the surroundings of an image, alerts and dashboard. Each is held to what
//! the programs do here, as far as a machine can.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bailiwick_supervisor::control::{Client, State, Verb};
use bailiwick_tests::harness::{Ended, Supervised, copy_program, needs_program, needs_root};
use bailiwick_tests::{run, source};
use nix::sys::signal::Signal;
use tempfile::TempDir;

const BAILIWICKD: &str = env!("CARGO_BIN_EXE_bailiwickd-under-test");
const BAILIWICK: &str = env!("CARGO_BIN_EXE_bailiwick-under-test");

fn packaging(path: &str) -> PathBuf {
    source::workspace().join("packaging").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

/// Puts this build where the package puts the programs, below `root`, and the units beside them with paths that lead there.
fn units_below(root: &Path) -> Vec<PathBuf> {
    let programs = root.join("usr/bin");
    fs::create_dir_all(&programs).expect("the folder is ours");
    copy_program(BAILIWICKD, programs.join("bailiwickd"));
    copy_program(BAILIWICK, programs.join("bailiwick"));
    ["bailiwick@.service", "bailiwick@shop.socket"]
        .map(|name| {
            let unit = read(&packaging("systemd").join(name));
            let place = root.join(name);
            fs::write(&place, unit.replace("/usr/bin", &programs.display().to_string())).expect("it is ours");
            place
        })
        .to_vec()
}

/// Seen to fail with a key that systemd does not know, and with a program that is not there.
#[test]
fn systemd_takes_the_units_without_a_word() {
    if needs_program("systemd-analyze", "systemd") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let units = units_below(folder.path());
    let mut verify = Command::new("systemd-analyze");
    // Manual pages that the unit names come with the package.
    verify
        .args(["verify", "--man=no"])
        .args(&units)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()));
    let output = succeed(&mut verify);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Seen to fail with a comment less.
#[test]
fn every_line_of_a_unit_says_why() {
    for name in ["bailiwick@.service", "bailiwick@shop.socket"] {
        let unit = read(&packaging("systemd").join(name));
        let lines: Vec<_> = unit.lines().collect();
        for (before, line) in lines.iter().zip(&lines[1..]) {
            let is_setting = !line.is_empty() && !line.starts_with(['#', '[']);
            assert!(!is_setting || before.starts_with('#'), "{name}: no reason above `{line}`");
        }
    }
}

/// Returns the names in the first column of the table of docs/metrics.md, as they are exported.
fn documented() -> BTreeSet<String> {
    let page = read(&source::workspace().join("docs/metrics.md"));
    let (_, metrics) = page.split_once("\n## Metrics\n").expect("the page has that part");
    let (metrics, _) = metrics.split_once("\n## ").unwrap_or((metrics, ""));
    let cells = metrics.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let names = cells.flat_map(|cell| cell.split(['`', ',', ' ']).filter(|name| !name.is_empty()));
    names.filter(|name| *name != "metric").map(|name| format!("bailiwick_{name}")).collect()
}

/// Returns every name of a metric in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("bailiwick_")).collect()
}

/// Seen to fail with a name that nobody exports in either file.
#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let documented = documented();
    let page = read(&source::workspace().join("docs/metrics.md"));
    for file in ["alerts.yml", "dashboard.json"] {
        let text = read(&packaging("monitoring").join(file)).replace("\\\"", "\"");
        let found = named(&text);
        assert!(found.len() > 5, "{file} names {found:?} only");
        for name in found {
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            assert!(documented.contains(whole), "{file}: nobody exports {name}");
        }
        for label in ["cause", "state"] {
            let label_is = format!("{label}=");
            let values = text.split(&label_is).skip(1);
            let values =
                values.filter_map(|rest| rest.trim_start_matches('~').strip_prefix('"')?.split('"').next());
            for value in values.flat_map(|values| values.split('|')) {
                assert!(page.contains(&format!("`{value}`")), "{file}: {label} is never {value}");
            }
        }
    }
}

#[test]
fn the_dashboard_is_a_document_with_a_question_in_every_panel() {
    let text = read(&packaging("monitoring/dashboard.json"));
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].to_string()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    for panel in panels {
        let targets = panel["targets"].as_array().expect("a list");
        assert!(targets.iter().all(|target| target["expr"].is_string()), "{}", panel["title"]);
        assert!(!targets.is_empty() && panel["title"].is_string(), "{panel}");
    }
}

#[test]
fn prometheus_takes_the_alerts() {
    if needs_program("promtool", "prometheus") {
        return;
    }
    succeed(
        Command::new("promtool")
            .args(["check", "rules", "--lint=all", "--lint-fatal"])
            .arg(packaging("monitoring/alerts.yml")),
    );
}

/// Returns the address at which the admin worker serves.
fn served_at(supervised: &Supervised) -> String {
    supervised.journal().wait_until("an address", |lines| {
        assert!(supervised.process().is_alive(), "it has ended; so far:\n{}", supervised.journal());
        let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
        said.map(|address| address.trim_end_matches('/').to_owned())
    })
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the supervisor listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    answer
}

/// What a worker has whose actors are counted.
const ACTOR: &str = "actor.life = { type = \"Life\", args = {} }";

/// Seen to fail with rows that nobody exports. Where promtool is, it looks too.
#[test]
fn what_is_exported_is_what_the_page_lists() {
    let manifest = format!(
        "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {BAILIWICK:?}\n[worker.web]\nexec = \"tw\"\n{ACTOR}\n"
    );
    let mut supervised = run!(&manifest);
    let address = served_at(&supervised);
    supervised.wait_for_state("web", State::Ready);
    // What is counted by cause is there from the first time on.
    supervised.pid("web").signal(Signal::SIGKILL);
    supervised.wait_for_life("web", 2);
    supervised.order(Verb::Restart, "web");
    let metrics = supervised.journal().wait_until("all metrics", |_| {
        let answer = get(&address, "/metrics");
        let (_, metrics) = answer.split_once("\r\n\r\n")?;
        let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let found: BTreeSet<_> = types.map(str::to_owned).collect();
        assert!(found.is_subset(&documented()), "not in docs/metrics.md: {found:?}");
        // Nothing is lost, no ask fails and no budget is spent here, so nothing is told of that.
        let mut expected = documented();
        for name in ["dead_letters", "ask_failures", "escalations"] {
            expected.remove(&format!("bailiwick_{name}_total"));
        }
        (found == expected).then(|| metrics.to_owned())
    });
    if !needs_program("promtool", "prometheus") {
        let file = supervised.path().join("metrics.txt");
        fs::write(&file, metrics).expect("the folder is ours");
        succeed(Command::new("sh").args(["-c", "promtool check metrics <\"$0\""]).arg(&file));
    }
    supervised.stop();
}

/// Makes, then enters, what an image is to the supervisor: a read-only root with two programs and a manifest, /proc,
/// /dev/null, a tmpfs on /run. The first argument is the root, what follows is executed there as process 1. The root becomes that
/// of the mount namespace, as engines have it: who joins the namespace lands there.
const AS_IN_AN_IMAGE: &str = "\
set -e
mount --bind \"$0\" \"$0\"
mount -t proc proc \"$0/proc\"
mount -t tmpfs -o mode=0755 run \"$0/run\"
mount --bind /dev/null \"$0/dev/null\"
mount -o remount,bind,ro \"$0\"
cd \"$0\"
mount --move . /
exec chroot . \"$@\"";

/// Puts into `root` what an image has, and the libraries that this build, other than that of the image, is linked with.
fn fill_image(root: &Path) {
    for folder in ["usr/bin", "etc/bailiwick", "proc", "dev", "run"] {
        fs::create_dir_all(root.join(folder)).expect("the folder is ours");
    }
    fs::write(root.join("dev/null"), "").expect("the folder is ours");
    let worker = env!("CARGO_BIN_EXE_tw");
    for (program, name) in [(BAILIWICKD, "bailiwickd"), (BAILIWICK, "bailiwick"), (worker, "tw")] {
        copy_program(program, root.join("usr/bin").join(name));
        let output = succeed(Command::new("ldd").arg(program));
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = root.join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("it is in a folder")).expect("the folder is ours");
            copy_program(library, place);
        }
    }
    // Users of its own: the locks of this machine's other supervisors are not to be seen from in there.
    let manifest = "[supervisor]\nuid_range = [0x71000000, 0x7100FFFF]\n\
         [admin]\ntcp = \"0.0.0.0:0\"\nexpose = true\n[worker.web]\nexec = \"/usr/bin/tw\"\n";
    fs::write(root.join("etc/bailiwick/app.toml"), manifest).expect("the folder is ours");
}

/// Seen to fail where the root is entered by chroot alone: then workers find another one.
#[test]
fn an_image_needs_no_more_than_proc_null_and_a_tmpfs() {
    if needs_root("only root can change its root") || needs_program("unshare", "util-linux") {
        return;
    }
    let folder = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let root = folder.path().join("root");
    fill_image(&root);
    let entry = read(&packaging("container/Containerfile"));
    let entry = entry.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).expect("the image has one");
    let entry: Vec<String> = serde_json::from_str(entry).expect("a list");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", AS_IN_AN_IMAGE])
        .arg(&root)
        .args(entry);
    let mut supervised = Supervised::start(command, folder);
    let address = served_at(&supervised);
    supervised.journal().wait_until("everybody to be ready", |_| {
        get(&address, "/readyz").starts_with("HTTP/1.1 200 ").then_some(())
    });
    let own = supervised.process().children();
    let [init] = own[..] else { panic!("unshare has one child: {own:?}") };
    let state_dir = PathBuf::from(format!("/proc/{}/root/run/bailiwick/app", init.0));
    let status = Client::connect(&state_dir).and_then(|client| client.status()).expect("it answers");
    assert_eq!(status.supervisor.pid, 1);
    init.signal(Signal::SIGTERM);
    assert_eq!(supervised.wait(), Ended::Code(0), "{}", supervised.journal());
    supervised.assert_nothing_is_left();
}

/// Returns this build without its names, in a folder as `packaging/debian/build` wants it.
fn stripped(folder: &Path) -> PathBuf {
    let binaries = folder.join("binaries");
    fs::create_dir(&binaries).expect("the folder is ours");
    for (program, name) in [(BAILIWICKD, "bailiwickd"), (BAILIWICK, "bailiwick")] {
        succeed(Command::new("strip").arg(program).arg("-o").arg(binaries.join(name)));
    }
    binaries
}

fn package(folder: &Path) -> PathBuf {
    let mut build = Command::new(packaging("debian/build"));
    succeed(build.arg(folder.join("out")).env("BINARIES", stripped(folder)));
    let made = fs::read_dir(folder.join("out")).expect("it is there").flatten().map(|entry| entry.path());
    let debs: Vec<_> = made.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect();
    let [deb] = &debs[..] else { panic!("one package: {debs:?}") };
    deb.clone()
}

/// Seen to fail with a unit that is not installed.
#[test]
fn the_package_has_what_it_takes_to_run_its_example() {
    if needs_program("dh", "debhelper") || needs_program("strip", "binutils") {
        return;
    }
    let folder: TempDir = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
    let root = folder.path().join("root");
    let deb = package(folder.path());
    succeed(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&root));
    goes_over_another_version(&deb);
    for file in [
        "etc/bailiwick",
        "usr/lib/systemd/system/bailiwick@.service",
        "usr/share/doc/bailiwick/copyright",
        "usr/share/doc/bailiwick/changelog.gz",
        "usr/share/doc/bailiwick/examples/alerts.yml",
        "usr/share/doc/bailiwick/examples/bailiwick@shop.socket",
    ] {
        assert!(root.join(file).exists(), "the package has no {file}");
    }
    let example = read(&root.join("usr/share/doc/bailiwick/examples/hello.toml"));
    fs::write(folder.path().join("hello.toml"), example.replace("127.0.0.1:9464", "127.0.0.1:0"))
        .expect("it is ours");
    let mut command = Command::new(root.join("usr/bin/bailiwickd"));
    command.arg(folder.path().join("hello.toml")).arg("--state-dir").arg(folder.path().join("state"));
    let mut supervised = Supervised::start(command, folder);
    for worker in ["clock", "admin"] {
        supervised.wait_for_state(worker, State::Ready);
    }
    supervised.stop();
}

/// Makes another version of a package, and installs, upgrades, downgrades, removes and purges it, in a root that begins with the files
/// of this machine and ends with the script. A `systemctl` there only notes what it is asked. The first argument is the package.
const OVER_ANOTHER: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs none /mnt; cd /mnt; mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount -t proc proc root/proc; mount --bind /dev root/dev; mount -t tmpfs none root/run
mkdir -p root/run/systemd/system root/packages
cp "$0" root/packages/old.deb
dpkg-deb -R "$0" unpacked; sed -i 's/^Version: .*/Version: 99.1/' unpacked/DEBIAN/control
dpkg-deb -Znone -b unpacked root/packages/new.deb >/dev/null
printf '#!/bin/sh\necho "$*" >>/packages/asked\n' >root/usr/bin/systemctl; chmod 755 root/usr/bin/systemctl
cd root; mount --move . /
exec chroot . sh -ec '
    cd /packages; touch asked; told() { sort -u asked; : >asked; }
    over() { dpkg --no-triggers -i $1.deb >log 2>&1 || { cat log; exit 1; }; echo "$1: $(told)"; }
    over old
    sed s/:9464/:0/ /usr/share/doc/bailiwick/examples/hello.toml >/etc/bailiwick/hello.toml
    bailiwickd --state-dir /run/bailiwick/hello /etc/bailiwick/hello.toml --ready-fd 3 3>ready >said 2>&1 & runs=$!
    until grep -q ready ready; do kill -0 $runs || { cat said; exit 1; }; sleep 0.1; done
    over new; over old
    bailiwick status --check --state-dir /run/bailiwick/hello >log || { cat log said; exit 1; }
    kill $runs; wait $runs && echo stopped
    dpkg -r bailiwick >log 2>&1; echo "removed: $(told)"
    ln -s /usr/lib/systemd/system/bailiwick@.service /etc/systemd/system/multi-user.target.wants/bailiwick@hello.service
    dpkg -P bailiwick >log 2>&1
    ls /etc/bailiwick
    ! ls /run/bailiwick /usr/bin/bailiwickd /etc/systemd/system/multi-user.target.wants/bailiwick@hello.service 2>/dev/null
'
"#;

/// Tries a package with another version of itself.
fn goes_over_another_version(deb: &Path) {
    if needs_root("only root can install packages, into a root of its own") {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", OVER_ANOTHER]).arg(deb);
    let output = succeed(command.stdin(std::process::Stdio::null()));
    let expected = "old: daemon-reload\nnew: daemon-reload\nold: daemon-reload\nstopped\n\
                    removed: stop bailiwick@*.socket bailiwick@*.service\nhello.toml\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
