//! The record of what lives, in the state directory: damaged, from elsewhere, without room.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bailiwick_sys::survivors::{boot_id, born};
use bailiwick_sys::worker_users::hash;
use bailiwick_tests::harness::{Ended, Supervised, needs_root};
use bailiwick_tests::run;
use bailiwick_wire::state_record::{Life, STATE_LAYOUT, StateRecord};

use crate::support::{Cli, kill, plain};

const RECORD: &str = "lives";

/// A supervisor that has ended in order, so that its state directory can be prepared for the next.
fn before() -> Supervised {
    let mut supervised = run!(&plain("a"));
    supervised.wait_for_life("a", 1);
    assert!(supervised.state_dir().join(RECORD).exists());
    supervised.stop();
    assert!(!supervised.state_dir().join(RECORD).exists(), "an ordered end leaves no record");
    supervised
}

fn next(before: &Supervised) -> Supervised {
    let mut command = Command::new(before.path().join("bailiwickd"));
    command.arg(before.path().join("app.toml")).arg("--state-dir").arg(before.state_dir());
    before.again(command)
}

/// What a supervisor would have written that ran as process 4711.
fn record(boot: [u8; 16], workers: Vec<Life>) -> StateRecord {
    StateRecord { boot, supervisor: Life { pid: 4711, born: 1, user: None }, workers }
}

/// The same as another version would write it.
fn of_layout(layout: u16) -> Vec<u8> {
    let mut bytes = record(boot_id(), Vec::new()).to_bytes();
    bytes[8..10].copy_from_slice(&layout.to_le_bytes());
    let rest: Vec<u8> = [&bytes[..24], &bytes[32..]].concat();
    bytes[24..32].copy_from_slice(&hash(&rest).to_le_bytes());
    bytes
}

/// A process of ours that is in nobody's record unless it is written there.
struct Bystander(Child);

impl Bystander {
    fn start() -> Self {
        let child = Command::new("sleep").arg("1000000").stdin(Stdio::null()).spawn();
        Self(child.expect("it can be started"))
    }

    fn life(&self) -> Life {
        Life { pid: self.0.id(), born: born(self.0.id()).expect("it lives"), user: None }
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Seen to fail without the end of whoever is in the record; the look at when they were born; the look at the boot.
#[test]
fn e3_only_who_was_born_when_the_record_says_is_ended() {
    let before = before();
    let [mut meant, mut later, mut foreign] = std::array::from_fn(|_| Bystander::start());
    let later_life = Life { born: later.life().born + 1, ..later.life() };
    // Nobody is a worker by being root, or this user.
    let users = Life { user: Some(nix::unistd::geteuid().as_raw()), ..later_life };
    let written = record(boot_id(), vec![meant.life(), later_life, users]);
    fs::write(before.state_dir().join(RECORD), written.to_bytes()).expect("it is ours");
    let mut second = next(&before);
    second.journal().wait_for(0, "pid 4711, died");
    second.wait_for_life("a", 1);
    assert!(meant.has_ended() && !later.has_ended());
    second.stop();
    let mut other_boot = boot_id();
    other_boot[0] ^= 1;
    let written = record(other_boot, vec![foreign.life()]);
    fs::write(before.state_dir().join(RECORD), written.to_bytes()).expect("it is ours");
    let mut third = next(&second);
    third.wait_for_life("a", 1);
    assert!(!foreign.has_ended(), "its number is from another boot");
    third.stop();
}

/// Seen to fail without the tolerance of damage; the setting aside.
#[test]
fn e11_a_record_that_nobody_can_read_is_set_aside() {
    let whole = record(boot_id(), Vec::new()).to_bytes();
    let mut corrupt = whole.clone();
    corrupt[40] ^= 1;
    let mut last = before();
    for bytes in [corrupt, whole[..50].to_vec(), Vec::new(), b"{\"pid\": 1}".to_vec(), of_layout(0)] {
        fs::write(last.state_dir().join(RECORD), &bytes).expect("it is ours");
        let mut supervised = next(&last);
        supervised.wait_for_life("a", 1);
        supervised.journal().wait_for(0, "is set aside as lives.damaged");
        let aside = fs::read(supervised.state_dir().join("lives.damaged"));
        assert_eq!(aside.expect("it is kept for people"), bytes);
        supervised.stop();
        last = supervised;
    }
}

/// Seen to fail without the respect for a newer layout.
#[test]
fn e11_a_record_of_a_later_version_is_left_to_that_version() {
    let before = before();
    let path = before.state_dir().join(RECORD);
    fs::write(&path, of_layout(STATE_LAYOUT + 1)).expect("it is ours");
    let mut refused = next(&before);
    assert_eq!(refused.wait(), Ended::Code(78));
    let line = refused.journal().wait_for(0, "is not for this version").text;
    assert!(line.contains(&format!("it has layout {}", STATE_LAYOUT + 1)), "{line}");
    assert!(line.contains("run the version that wrote it"), "{line}");
    assert_eq!(fs::read(&path).expect("it is left"), of_layout(STATE_LAYOUT + 1));
    refused.assert_nothing_is_left();
}

/// A small file system in the place of a folder, for as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "bailiwick-test"])
            .arg(&at)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "root may mount");
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Seen to fail without the showing of the failure; the tolerance of a full directory.
#[test]
fn e8_supervision_goes_on_where_the_state_directory_is_full() {
    if needs_root("only root can mount a file system that is small") {
        return;
    }
    let before = before();
    let small = Small::mount(before.state_dir());
    let mut supervised = next(&before);
    supervised.wait_for_life("a", 1);
    let persist = || Cli::of(&supervised).json(&["status", "--json"])["supervisor"]["persist"].clone();
    assert_eq!(persist(), "ok");
    let filler = small.0.join("filler");
    assert!(fs::write(&filler, vec![1; 1 << 20]).is_err(), "it has 64 KiB");
    kill(&supervised, "a");
    supervised.wait_for_life("a", 2);
    supervised.journal().wait_for(0, "the record of what lives in the state directory: write failed: ENOSPC");
    assert_eq!(persist(), "failing");
    assert!(Cli::of(&supervised).run(&["status"]).data.contains("persist failing"));
    fs::remove_file(&filler).expect("it is ours");
    supervised.journal().wait_for(0, "the record of what lives in the state directory: works again");
    assert_eq!(persist(), "ok");
    let bytes = fs::read(small.0.join(RECORD)).expect("there is a record");
    let lives = StateRecord::from_bytes(&bytes).expect("it can be read").workers;
    assert_eq!(lives.iter().map(|life| Some(life.pid)).collect::<Vec<_>>(), [supervised.worker("a").pid]);
    supervised.stop();
}
