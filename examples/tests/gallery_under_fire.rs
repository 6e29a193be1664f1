//! The gallery keeps serving while its workers are killed, and answers for every request that failed.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use support::gallery::{Gallery, HELD, Kill, PICTURES, footprint};
use support::load::{self, Errand, Trip, complaints};
use support::program::{WATCHDOG, children};

/// Each fire takes the whole machine.
static ONE_FIRE: Mutex<()> = Mutex::new(());
const CONNECTIONS: usize = 16;
/// Between two kills, so that each of the four victims dies about twice a second.
const KILL_PAUSE: Duration = Duration::from_millis(120);

/// What a process may hold on top, in kB, whatever it does: the kernel may give it pages of 2 MiB. A leak is of every request.
const HELD_SLACK: u64 = 6 << 10;

/// How long the fire lasts: 8 s, or what `GALLERY_SECONDS` says.
fn duration() -> Duration {
    let seconds = std::env::var("GALLERY_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

fn errands() -> Vec<Errand> {
    let get = |path: String, way| Errand { method: "GET", path, body: Vec::new(), way };
    let mut errands = vec![
        get("/".to_owned(), &["front", "files"]),
        get("/gallery.css".to_owned(), &["front"]),
        get("/processes".to_owned(), &["front"]),
    ];
    for (name, _) in PICTURES {
        errands.push(get(format!("/file/{name}"), &["front", "files"]));
        errands.push(get(format!("/thumb/{name}?w=160"), &["front", "files", "shrinker"]));
    }
    let body = b"\x89PNG\r\n\x1a\nnot a picture, but it begins like one".to_vec();
    errands.push(Errand { method: "PUT", path: "/file/new.png".to_owned(), body, way: &["front", "files"] });
    errands
}

/// Kills `victims` in turn for so long, one process at a time, and on a slow machine until each was killed once a second of that.
fn kill_in_turn(gallery: &Gallery, victims: &[&str], length: Duration) -> Vec<Kill> {
    let (mut kills, end) = (Vec::<Kill>::new(), Instant::now() + length);
    let deaths = |kills: &[Kill], worker: &str| kills.iter().filter(|kill| kill.is_of(worker)).count() as u64;
    for (turn, worker) in victims.iter().cycle().enumerate() {
        let enough = victims.iter().all(|worker| deaths(&kills, worker) >= length.as_secs());
        if Instant::now() >= end && (enough || Instant::now() >= end + WATCHDOG) {
            break;
        }
        pass(KILL_PAUSE);
        // Of a worker with instances and spares another one each time; none while it is being started again.
        let processes = gallery.program.instances(worker);
        if let Some(process) = processes.get(turn / victims.len() % processes.len().max(1)) {
            let kill = gallery.kill(process);
            // Of a spare, and of a shrinker whose picture was finished, nobody says that it ended.
            if *worker != "shrinker" {
                gallery.report(&kill);
            }
            kills.push(kill);
        }
    }
    kills
}

/// Lets time pass: the load is what happens meanwhile.
fn pass(time: Duration) {
    let (_sender, nothing) = channel::<()>();
    assert_eq!(nothing.recv_timeout(time), Err(RecvTimeoutError::Timeout));
}

/// The processes that must be the same at the end, and the least that they hold within half a second after the load:
/// what the last request left comes and goes, a leak stays.
fn footprints(gallery: &Gallery, spared: &[&str]) -> BTreeMap<u32, BTreeMap<&'static str, u64>> {
    let workers = spared.iter().flat_map(|worker| gallery.program.instances(worker));
    let mut found: BTreeMap<u32, BTreeMap<&'static str, u64>> =
        workers.map(|(_, pid)| pid).chain([gallery.program.pid()]).map(|pid| (pid, footprint(pid))).collect();
    for _ in 0..25 {
        pass(Duration::from_millis(20));
        for (pid, least) in &mut found {
            for (what, now) in footprint(*pid) {
                least.entry(what).and_modify(|least| *least = now.min(*least));
            }
        }
    }
    found
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// Loads the gallery for some time while `victims` are killed in turn.
fn burn(gallery: &Gallery, victims: &[&str], length: Duration) -> (Vec<Trip>, Vec<Kill>) {
    let (errands, stop) = (errands(), AtomicBool::new(false));
    thread::scope(|scope| {
        let load = scope.spawn(|| load::run(gallery.address, &errands, CONNECTIONS, &stop));
        let kills = kill_in_turn(gallery, victims, length);
        // Whoever was killed last comes back before the judgement.
        pass(Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
        (load.join().expect("the load does not panic"), kills)
    })
}

/// Loads the gallery while `victims` are killed, and checks everything that can be said of it afterwards.
fn fire(victims: &[&str], spared: &[&str]) {
    let _alone = ONE_FIRE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gallery = Gallery::start();
    let (begin, length) = (Instant::now(), duration());
    let warm = (length / 6).max(Duration::from_secs(3));
    let (mut trips, mut kills) = burn(&gallery, victims, warm);
    let early = footprints(&gallery, spared);
    let (more_trips, more_kills) = burn(&gallery, victims, length.saturating_sub(warm));
    let late = footprints(&gallery, spared);
    trips.extend(more_trips);
    kills.extend(more_kills);
    let outages = gallery.outages(&kills);
    let wrong = complaints(&trips, &outages, begin);
    assert!(wrong.is_empty(), "{} of {} requests:\n  {}", wrong.len(), trips.len(), wrong.join("\n  "));
    for worker in victims {
        let deaths = kills.iter().filter(|kill| kill.is_of(worker)).count();
        // But for the parts of a second of the two fires.
        assert!(deaths as u64 + 1 >= length.as_secs(), "{worker} was killed only {deaths} times");
    }
    let good = trips.iter().filter(|trip| trip.is_good()).count();
    // Two of three and more; how soon who fails tries again, and how soon who was killed is back, is up to the machine.
    assert!(good > trips.len() / 20, "only {good} of {} requests brought something", trips.len());
    assert_same_size(&early, &late);
    assert!(!children(gallery.program.pid()).into_iter().any(is_zombie), "a zombie");
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}

/// Holds everybody who lived through the fire to what they held soon after its begin, within a tenth and that slack.
fn assert_same_size(
    early: &BTreeMap<u32, BTreeMap<&'static str, u64>>,
    late: &BTreeMap<u32, BTreeMap<&'static str, u64>>,
) {
    assert_eq!(early.keys().collect::<Vec<_>>(), late.keys().collect::<Vec<_>>(), "somebody spared died");
    for (pid, early) in early {
        for (what, before) in early {
            let after = late[pid][what];
            let slack = if *what == HELD { HELD_SLACK } else { 0 };
            assert!(
                after <= before + before.div_ceil(10) + slack,
                "process {pid}: {what} grew from {before} to {after}"
            );
        }
    }
}

#[test]
fn killing_the_workers_behind_the_front_costs_only_their_requests() {
    fire(&["files", "shrinker"], &["front"]);
}

#[test]
fn killing_the_front_costs_only_its_open_connections() {
    // Each shrinker ends with its picture.
    fire(&["front"], &["files"]);
}

#[test]
fn killing_every_worker_in_turn_costs_only_their_requests() {
    fire(&["files", "front", "shrinker"], &[]);
}

/// Returns a shrinker that has a picture in its hands: it takes no other one.
fn at_work(gallery: &Gallery) -> (String, u32) {
    let until = Instant::now() + WATCHDOG;
    loop {
        let found = gallery.workers().into_iter().find_map(|worker| {
            let name = worker["name"].as_str().filter(|name| name.starts_with("shrinker"))?;
            let pid = worker["pid"].as_u64().filter(|_| worker["state"] == "draining")?;
            Some((name.to_owned(), u32::try_from(pid).ok()?))
        });
        match found {
            Some(found) => return found,
            None => assert!(Instant::now() < until, "no shrinker was ever at work"),
        }
    }
}

#[test]
fn killing_a_shrinker_costs_only_the_picture_in_its_hands() {
    let _alone = ONE_FIRE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gallery = Gallery::start();
    let slow = image::RgbImage::from_fn(2400, 1800, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8]));
    slow.save(gallery.path("slow.jpg")).expect("written");
    let (sender, statuses) = channel();
    let failures = thread::scope(|scope| {
        for _ in 0..8 {
            let (sender, mut client) = (sender.clone(), gallery.client());
            scope.spawn(move || {
                let answer = client.get("/thumb/slow.jpg?w=160").expect("the front lives");
                sender.send(answer.status).expect("somebody counts");
            });
        }
        // One has its answer: others are in work, and the rest waits.
        assert_eq!(statuses.recv(), Ok(200));
        gallery.kill(&at_work(&gallery));
        drop(sender);
        statuses.iter().filter(|status| *status != 200).count()
    });
    assert!(failures <= 1, "{failures} pictures were lost with one shrinker");
    assert!(gallery.program.stop().success(), "an ordered stop ends with 0");
}
