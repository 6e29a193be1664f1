//! Golden tests of the manifest: what is told about broken ones, and that good ones mean what they say.
//!
//! `BLESS=1 cargo test -p bailiwick-supervisor --test manifest` writes the expected texts anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_supervisor::check::{Diagnostics, Severity};
use bailiwick_supervisor::manifest::{Loaded, Options, load, parse};
use bailiwick_supervisor::spec::{
    Architectures, AutoShutdown, Bind, Bounds, Denial, Exec, Families, FdKind, FileView, HidePid,
    KeyringMode, Limits, LinkKind, May, MessageLimits, OnExhausted, OnFull, OnSigstop, OnViolation, Once,
    Preset, ProcSubset, Profile, ProtectHome, ProtectSystem, Rate, Reaction, Reactions, RestartType, Sandbox,
    Scoped, Shares, Temporary, TrustDomain,
};
use proptest::prelude::*;

/// A copy of the manifests with known permissions: a checkout's depend on the umask of whoever made it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn copy(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for file in files(name) {
            let target = folder.path().join(file.file_name().expect("a file has a name"));
            fs::copy(&file, &target).expect("a manifest can be copied");
            let mode = if file.extension().is_none() { 0o755 } else { 0o644 };
            fs::set_permissions(&target, PermissionsExt::from_mode(mode)).expect("it is ours");
        }
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().expect("it was just made")
    }

    /// Loads one manifest of the folder; errors speak of the folder as `.`.
    fn load(&self, name: &str) -> Result<Loaded, String> {
        load(&self.path().join(name), &Options::default()).map_err(|found| self.text(&found))
    }

    fn text(&self, found: &Diagnostics) -> String {
        found.to_string().replace(&self.path().display().to_string(), ".")
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(source(name)).expect("the manifests are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.retain(|path| path.extension().is_none_or(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn each_broken_manifest_is_told_what_is_wrong_and_what_to_do() {
    let folder = Folder::copy("broken");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let manifests: Vec<_> = files("broken").into_iter().filter(|path| path.extension().is_some()).collect();
    assert!(manifests.len() >= 40, "{} manifests are not enough", manifests.len());
    for path in manifests {
        let name = path.file_name().and_then(|name| name.to_str()).expect("our names are text");
        let found = match folder.load(name) {
            Ok(loaded) => folder.text(&loaded.warnings),
            Err(text) => text,
        };
        let golden = path.with_extension("expected");
        if bless {
            fs::write(&golden, &found).expect("the expected text can be written");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found != expected || found.is_empty() {
            wrong.push(format!("{name}: expected\n{expected}\nbut found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let folder = Folder::copy("valid");
    let Loaded { system, warnings, .. } = folder.load("shop.toml").unwrap_or_else(|text| panic!("{text}"));
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(system.name, "shop");
    let names: Vec<_> = system.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["binder", "web", "shrinker"], "in the order of the text");
    let [binder, web, shrinker] = &system.workers[..] else { panic!("three workers") };
    assert_eq!(binder.exec, Exec::Path(folder.path().join("shop")));
    let args = binder.actors[0].args.as_ref().expect("it has arguments");
    assert_eq!((args.text.as_str(), args.line), ("{ keep = { http = \"0.0.0.0:80\" } }", 18));
    assert_eq!((web.instances, web.sandbox.memory_max), (2, Some(256 << 20)));
    assert_eq!(web.sandbox.read_only_paths, [folder.path()]);
    assert_eq!(shrinker.sandbox.preset, Preset::Sealed);
    let grant = &system.grants[0];
    assert_eq!((grant.to_worker.as_str(), grant.to_actor.as_deref()), ("shrinker", Some("thumbs")));
    assert_eq!(grant.methods.as_deref(), Some(&["shrink".to_owned()][..]));
    assert_eq!(grant.fds_send.as_deref(), Some(&[FdKind::File][..]));
    assert_eq!(grant.fds_receive.as_deref(), Some(&[][..]), "what is not named is not granted");
}

#[test]
fn the_manifests_of_the_pages_mean_something() {
    for (page, least) in [("supervision.md", 6), ("first-program.md", 1)] {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let page = fs::read_to_string(page).expect("the page is there");
        let manifests: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(manifests.len() >= least, "{} manifests", manifests.len());
        for manifest in manifests {
            let (_, text, found) = parse(Path::new("page.toml"), Path::new("/"), manifest.to_owned());
            assert!(found.is_empty(), "{manifest}\n{}", text.diagnostics(found));
        }
    }
}

fn confinement_is_read(web: &Sandbox, programs: &Sandbox) {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let calls = &web.calls;
    assert_eq!(calls.filter, own(&["+@memlock", "~getrusage"]));
    assert_eq!((calls.denial, &calls.log), (Some(Denial::Fails(38)), &own(&["mlock"])));
    assert_eq!((calls.log_denied_paths, programs.calls.log_denied_paths), (Some(true), None));
    assert_eq!(calls.architectures, Some(Architectures::Native));
    assert_eq!(calls.families, Some(Families::Only(own(&["AF_INET", "AF_INET6", "AF_UNIX"]))));
    assert_eq!((&calls.namespaces, calls.restrict_realtime), (&Some(Vec::new()), Some(true)));
    assert_eq!((calls.restrict_suid_sgid, calls.lock_personality), (Some(true), Some(true)));
    assert_eq!((calls.memory_deny_write_execute, calls.memfd_no_exec), (Some(false), Some(true)));
    assert_eq!((web.udp_bind, web.dumpable, web.no_new_privileges), (true, Some(true), Some(true)));
    assert_eq!((programs.exec_paths.len(), &programs.no_exec_paths[..]), (1, &["/usr".into()][..]));
}

fn views_are_read(folder: &Path, web: &Sandbox, programs: &Sandbox) {
    let bind = |to: &str| vec![Bind { from: folder.join("shop"), to: to.into() }];
    let temporary = Temporary { at: "/var/cache".into(), bounds: Bounds { bytes: 8 << 20, files: 256 } };
    let expected = FileView {
        temporary: vec![temporary],
        binds: bind("/data/shop"),
        read_only_binds: bind("/opt/shop"),
        root_directory: Some(folder.to_owned()),
        private_devices: Some(true),
        protect_system: ProtectSystem::Full,
        protect_home: ProtectHome::ReadOnly,
        protect_proc: Some(HidePid::Invisible),
        proc_subset: None,
    };
    assert_eq!(web.view, expected);
    assert_eq!(web.landlock_scope, Some(vec![Scoped::Signals]));
    let proc = (programs.view.protect_proc, programs.view.proc_subset);
    assert_eq!(proc, (Some(HidePid::Ptraceable), Some(ProcSubset::All)));
}

#[test]
fn every_key_is_read() {
    let folder = Folder::copy("valid");
    let Loaded { system, .. } = folder.load("every_key.toml").unwrap_or_else(|text| panic!("{text}"));
    assert_eq!(system.name, "every-key");
    assert_eq!(system.state_dir, Some(folder.path().join("state")));
    assert_eq!(system.shutdown_timeout, Duration::from_secs(45));
    let group = &system.groups[0];
    assert_eq!((group.max_restarts, group.period), (3, Duration::from_secs(60)));
    assert_eq!(group.on_exhausted, OnExhausted::Fail);
    assert_eq!((group.auto_shutdown, group.significant), (AutoShutdown::AllSignificant, true));
    assert!(system.is_template(&system.workers[2]));
    let busy_poll = Duration::from_micros(50);
    let domain = TrustDomain { busy_poll, ..TrustDomain::new("shared") };
    assert_eq!((&system.workers[0].trust_domain, domain.link), (&Some(domain), LinkKind::Ring));
    confinement_is_read(&system.workers[0].sandbox, &system.workers[3].sandbox);
    views_are_read(&folder.path(), &system.workers[0].sandbox, &system.workers[3].sandbox);
    let root = &system.root;
    assert_eq!(
        (root.max_restarts, root.period, root.on_exhausted),
        (7, Duration::from_secs(20), OnExhausted::Escalate)
    );
    let member = &system.workers[2];
    assert_eq!((member.instances, member.max_children), (0, Some(4)));
    let web = &system.workers[0];
    assert_eq!(
        (&web.wants[..], &web.after[..], web.significant),
        (&["member".to_owned()][..], &[][..], true)
    );
    assert_eq!(web.reload_timeout, Duration::from_secs(3));
    let (stop, restart) = (Reaction::Stop, Reaction::Restart);
    let on = Reactions {
        exit: stop,
        signal: restart,
        oom: stop,
        hang: restart,
        violation: stop,
        forbidden_syscall: stop,
    };
    assert_eq!((web.on, web.max_offences), (on, 0));
    assert_eq!(web.offence_period, Duration::from_secs(7 * 24 * 3600));
    assert!(web.has_spare());
    assert!(web.essential && web.crash_may_stop_all && !web.privileged);
    assert_eq!(web.restart, RestartType::Transient);
    assert_eq!(web.stop_timeout, Duration::from_millis(250));
    assert_eq!((web.drain_timeout, web.stable_after), (Duration::ZERO, Duration::from_millis(1500)));
    let limits = (web.stuck_after, web.liveness_timeout, web.abort_timeout, web.on_sigstop);
    let (ms, secs) = (Duration::from_millis, Duration::from_secs);
    assert_eq!(limits, (ms(300), secs(120), secs(1), OnSigstop::Ignore));
    assert_eq!((web.backoff.factor_permille, web.backoff.jitter_permille), (1500, 0));
    assert_eq!(
        (&web.ok_exit[..], &web.no_restart_exit[..], &web.uncounted_exit[..]),
        (&[0, 3][..], &[64][..], &[][..])
    );
    assert_eq!(web.environment["LANG"], "C.UTF-8");
    assert_eq!(web.pass_environment, ["TZ"]);
    assert_eq!(web.credentials["tls"], folder.path().join("shop"));
    assert_eq!(web.may, [May::Status]);
    let sandbox = &web.sandbox;
    assert_eq!((sandbox.user.as_deref(), sandbox.tcp_connect.as_slice()), (None, &[443][..]));
    assert_eq!((sandbox.tasks_max, sandbox.limit_nofile), (Some(16), Some(128)));
    assert_eq!((sandbox.nice, sandbox.oom_score_adjust), (Some(5), Some(600)));
    assert_eq!((sandbox.limit_core, sandbox.umask), (1 << 20, Some(0o027)));
    let limits = Limits {
        file_size: Some(64 << 20),
        address_space: Some(2 << 30),
        stack: Some(1 << 20),
        locked_memory: Some(64 << 10),
        cpu_seconds: Some(90),
        message_queues: Some(4096),
        pending_signals: Some(32),
        real_time: None,
        nice: None,
    };
    assert_eq!(sandbox.limits, limits);
    let shares = Shares {
        memory_high: Some(200 << 20),
        memory_low: Some(32 << 20),
        memory_min: Some(16 << 20),
        memory_swap_max: Some(64 << 20),
        cpu_weight: Some(20),
        cpu_quota: Some(150),
        io_weight: Some(30),
        oom_kills_all: Some(true),
    };
    assert_eq!(sandbox.shares, shares);
    assert_eq!(
        (&sandbox.supplementary_groups[..], sandbox.keyring_mode),
        (&["1".to_owned()][..], Some(KeyringMode::Private))
    );
    assert_eq!((system.allow_degraded, &system.worker_uids), (true, &Some(0x7100_0000..=0x7100_00FF)));
    assert_eq!((sandbox.private_pids, sandbox.private_users), (Some(true), Some(false)));
    let mailbox = web.actors[0].mailbox;
    assert_eq!((mailbox.capacity, mailbox.capacity_bytes, mailbox.on_full), (16, 64 << 10, OnFull::Reject));
    let args = web.actors[0].args.as_ref().expect("it has arguments");
    assert_eq!(args.text, "{ \"root\" = \"/srv/www\", \"rule\" = [{ \"path\" = \"/\" }, ] }");
    assert_eq!(system.workers[1].actors[0].type_name, "Binder");
    assert_eq!((system.profile, web.on_violation), (Profile::Dev, OnViolation::Log));
    let by_profile = system.workers[1].sandbox.calls.log_denied_paths;
    assert_eq!(by_profile, Some(true), "work on a system is told of paths");
    let channel = MessageLimits {
        depth: 100,
        elements: 500,
        produced_bytes: 64 << 10,
        ..MessageLimits::of_frame(32 << 10)
    };
    assert_eq!(web.channel, channel);
    let frame = MessageLimits::of_frame(16 << 10);
    assert_eq!(system.workers[1].channel, frame, "the budget goes with the frame");
    let [one, other] = &system.grants[..] else { panic!("two grants: {:?}", system.grants) };
    assert_eq!((one.to_actor.as_deref(), one.max_inflight, one.once), (None, 8, Once::No));
    assert_eq!(one.rate, Some(Rate { messages: 3, period: Duration::from_millis(500) }));
    assert_eq!((other.rate, other.once), (None, Once::PerLife));
}

#[test]
fn a_manifest_that_others_may_write_is_refused() {
    let folder = Folder::copy("valid");
    let path = folder.path().join("shop.toml");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("it is ours");
    let text = folder.load("shop.toml").expect_err("anybody could exchange it");
    assert!(text.contains("may be written by every user (mode 0666)"), "{text}");
    assert!(text.contains("run: chmod o-w ./shop.toml"), "{text}");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
    fs::set_permissions(folder.path().join("shop"), PermissionsExt::from_mode(0o757)).expect("it is ours");
    let text = folder.load("shop.toml").expect_err("anybody could exchange its program");
    assert_eq!(
        text.matches("may be written by every user").count(),
        1,
        "told once for three workers: {text}"
    );
}

#[test]
fn a_manifest_at_the_limit_of_its_size_is_read_and_one_byte_more_is_refused() {
    let folder = Folder::copy("valid");
    let path = folder.path().join("shop.toml");
    let mut text = fs::read_to_string(&path).expect("it is there");
    text.push_str(&"#".repeat((1 << 20) - text.len()));
    fs::write(&path, &text).expect("it is ours");
    assert!(folder.load("shop.toml").is_ok());
    text.push('#');
    fs::write(&path, &text).expect("it is ours");
    let refused = folder.load("shop.toml").expect_err("it is too long");
    assert!(refused.contains("longer than 1048576 bytes"), "{refused}");
}

/// A way to damage a text.
#[derive(Clone, Debug)]
enum Damage {
    Remove(usize, usize),
    Insert(usize, String),
    Repeat(usize, usize, usize),
    Swap(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0..4000_usize;
    prop_oneof![
        (at.clone(), 0..40_usize).prop_map(|(at, len)| Damage::Remove(at, len)),
        (at.clone(), prop_oneof!["\\PC{0,12}", "[\\[\\]{}=\"'.,#\n0-9a-z_ ]{0,16}", any::<String>()])
            .prop_map(|(at, text)| Damage::Insert(at, text)),
        (at.clone(), at.clone(), 0..200_usize).prop_map(|(from, to, len)| Damage::Repeat(from, to, len)),
        (at.clone(), at).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

fn apply(text: &str, damage: &Damage) -> String {
    let cut = |at: usize| text.floor_char_boundary(at % (text.len() + 1));
    let piece = |at: usize, len: usize| cut(at)..text.floor_char_boundary((cut(at) + len).min(text.len()));
    let mut out = text.to_owned();
    match damage {
        Damage::Remove(at, len) => out.replace_range(piece(*at, *len), ""),
        Damage::Insert(at, new) => out.insert_str(cut(*at), new),
        Damage::Repeat(from, to, len) => out.insert_str(cut(*to), &text[piece(*from, *len)]),
        Damage::Swap(one, other) => {
            // Two words exchange their places: types and names end where they do not belong.
            let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
            let mut swapped = words.clone();
            if !words.is_empty() {
                swapped.swap(one % words.len(), other % words.len());
            }
            out = swapped.concat();
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_manifest_is_a_system_or_an_error_with_a_place(
        which in 0..2_usize,
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        let name = ["every_key.toml", "shop.toml"][which];
        let mut text = fs::read_to_string(source("valid").join(name)).expect("it is there");
        for one in &damages {
            text = apply(&text, one);
        }
        let (system, parsed, found) = parse(Path::new("m.toml"), Path::new("/srv"), text);
        let refused = found.iter().any(|one| one.severity == Severity::Error);
        let diagnostics = parsed.diagnostics(found);
        let shown = diagnostics.render(false);
        prop_assert!(refused || !system.workers.is_empty(), "neither a system nor an error");
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        for one in diagnostics.iter() {
            let placed = diagnostics.line(one).is_some() || one.title == "the manifest declares no worker";
            prop_assert!(placed, "no line: {shown}");
            prop_assert!(!one.title.is_empty());
        }
    }
}
