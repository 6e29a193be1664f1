//! The shipped manifest runs the gallery, and with the default budget a crash loop is a nuisance and no outage.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use support::deployed::bailiwick;
use support::gallery::{Gallery, folder, instance_that};
use support::program::copy_program;
use tempfile::TempDir;

/// Writes the shipped manifest over other pictures, another port, and what `change` makes of it.
fn manifest(pictures: &Path, change: impl Fn(&str) -> Option<String>) -> TempDir {
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/gallery/gallery.toml"));
    let text = shipped
        .expect("the manifest is shipped")
        .replace("../../target/release/gallery", env!("CARGO_BIN_EXE_gallery"));
    let pictures = pictures.display().to_string();
    let text =
        text.replace("\"pictures\"", &format!("\"{pictures}\"")).replace("127.0.0.1:8080", "127.0.0.1:0");
    let text = text.replace("tcp_bind = [8080]", "tcp_bind = [0]");
    let lines: Vec<String> = text.lines().filter_map(change).collect();
    let place = tempfile::tempdir().expect("a temporary folder");
    fs::write(place.path().join("gallery.toml"), lines.join("\n")).expect("written");
    place
}

fn run(place: &TempDir, pictures: TempDir) -> Gallery {
    run_file(place, "gallery.toml", pictures)
}

fn run_file(place: &TempDir, file: &str, pictures: TempDir) -> Gallery {
    let mut command = Command::new(bailiwick());
    command.arg("run").arg(place.path().join(file)).arg("--state-dir").arg(place.path().join("state"));
    Gallery::started(command, pictures)
}

/// Kills an instance as soon as it is ready, until its supervisor hesitates.
fn crash_until_spent(gallery: &Gallery, instance: &str) {
    let mut from = 0;
    loop {
        let is_ready = |line: &str| (instance_that(line, " is ready") == Some(instance)).then_some(());
        gallery.program.journal().wait_for(from, is_ready);
        from = gallery.program.journal().lines().len();
        // Its spare is younger.
        let instances = gallery.program.instances("shrinker");
        let victim = instances.iter().find(|(name, _)| name == instance).expect("what is ready runs");
        if gallery.report(&gallery.kill(victim)).contains("its budget is spent") {
            return;
        }
    }
}

#[test]
fn the_shipped_manifest_serves_pictures() {
    let pictures = folder();
    let place = manifest(pictures.path(), |line| Some(line.to_owned()));
    let mut gallery = run(&place, pictures);
    let mut client = gallery.client();
    for path in ["/", "/thumb/b.jpg?w=160", "/file/a.png", "/processes"] {
        assert_eq!(client.get(path).expect(path).status, 200, "{path}");
    }
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

/// Copies what the manifest needs to where it stands in a clone, each path of the manifest as it is shipped.
fn clone() -> TempDir {
    let (place, shipped) = (tempfile::tempdir(), Path::new(env!("CARGO_MANIFEST_DIR")).join("gallery"));
    let place = place.expect("a temporary folder");
    let gallery = place.path().join("examples/gallery");
    fs::create_dir_all(gallery.join("pictures")).expect("made");
    for picture in fs::read_dir(shipped.join("pictures")).expect("shipped") {
        let picture = picture.expect("read");
        fs::copy(picture.path(), gallery.join("pictures").join(picture.file_name())).expect("copied");
    }
    fs::create_dir_all(place.path().join("target/release")).expect("made");
    copy_program(env!("CARGO_BIN_EXE_gallery"), &place.path().join("target/release/gallery"));
    let text = fs::read_to_string(shipped.join("gallery.toml")).expect("shipped");
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("tcp_bind = [8080]", "tcp_bind = [0]");
    fs::write(gallery.join("gallery.toml"), text).expect("written");
    place
}

/// As root it is a clone of root's, whose pictures nobody else may change.
#[test]
fn the_shipped_pictures_are_served_from_a_clone() {
    let place = clone();
    let shipped = place.path().join("examples/gallery/pictures");
    let gallery = run_file(&place, "examples/gallery/gallery.toml", folder());
    let mut client = gallery.client();
    let index = client.get("/").expect("answered").text();
    let names: Vec<_> = fs::read_dir(&shipped).expect("shipped").map(|entry| entry.expect("read")).collect();
    assert!(names.len() >= 3, "a gallery of {} pictures is none", names.len());
    for name in names.iter().map(|entry| entry.file_name().into_string().expect("text")) {
        assert!(index.contains(&name), "{name} is not in the page");
        assert_eq!(client.get(&format!("/thumb/{name}?w=320")).expect("answered").status, 200, "{name}");
    }
    let refused = client.put("/file/new.png", b"\x89PNG\r\n\x1a\n0000").expect("answered");
    assert!(refused.status == 403 && refused.text().contains("read_write_paths"), "{}", refused.text());
    assert_eq!(fs::read_dir(&shipped).expect("shipped").count(), names.len(), "the clone is as it was");
    assert_eq!(client.get("/processes").expect("answered").status, 200);
}

/// The port of the clone is another than the shipped one, which nobody else has to be kept from here.
#[test]
fn the_picture_of_its_grants_in_the_book_is_of_the_shipped_manifest() {
    let place = clone();
    let manifest = place.path().join("examples/gallery/gallery.toml");
    let text = fs::read_to_string(&manifest).expect("written").replace("tcp_bind = [0]", "tcp_bind = [8080]");
    fs::write(&manifest, text).expect("written");
    let output =
        Command::new(bailiwick()).arg("grants").arg(&manifest).arg("--dot").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/gallery-grants.svg");
    let picture = fs::read_to_string(page).expect("it is in the book");
    let dot = String::from_utf8(output.stdout).expect("text");
    let labels: Vec<_> =
        dot.lines().filter_map(|line| line.split_once("[label=\"")?.1.split_once('"')).collect();
    assert!(labels.len() >= 6, "{dot}");
    for line in labels.iter().flat_map(|(label, _)| label.split("\\n")) {
        let is_there = |text: &str| picture.contains(&format!(">{text}</text>"));
        assert!(
            is_there(line) || is_there(&line.replace('-', "&#45;")),
            "{line:?} is not in docs/gallery-grants.svg: `bailiwick grants examples/gallery/gallery.toml --dot | dot -Tsvg`"
        );
    }
}

#[test]
fn with_the_default_budget_a_crash_loop_cools_down_and_the_rest_goes_on() {
    let pictures = folder();
    let own_budget = |line: &str| line.starts_with("group = ") || line.starts_with("backoff = ");
    let place = manifest(pictures.path(), |line| (!own_budget(line)).then(|| line.to_owned()));
    let mut gallery = run(&place, pictures);
    let mut client = gallery.client();
    thread::scope(|all| {
        for instance in ["shrinker.1", "shrinker.2", "shrinker.3"] {
            all.spawn(|| crash_until_spent(&gallery, instance));
        }
    });
    let thumb = client.get("/thumb/a.png?w=160").expect("answered");
    assert_eq!((thumb.status, thumb.header("retry-after")), (503, Some("1")), "{}", thumb.text());
    for path in ["/", "/file/a.png", "/processes"] {
        assert_eq!(client.get(path).expect(path).status, 200, "{path}");
    }
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}
