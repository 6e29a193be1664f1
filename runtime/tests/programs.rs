//! Programs in one process: peers, grants, pools and arguments are what they are between processes.

#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick::{Cause, LocalError, PeerError, Worker};

/// Far longer than any answer takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[message]
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("no picture of {bytes} bytes")]
struct BadPicture {
    bytes: u64,
}

#[protocol]
trait Thumbs {
    /// Copies `width` bytes.
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<u64, BadPicture>;
    async fn whoami(&mut self, cx: &mut Context) -> String;
    async fn break_now(&mut self);
    async fn hold(&mut self) -> Later<()>;
    async fn stop(&mut self, cx: &mut Context);
}

#[derive(Default)]
struct Shrinker {
    held: Vec<Answer<()>>,
}

impl Thumbs for Shrinker {
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<u64, BadPicture> {
        let mut bytes = Vec::new();
        File::from(picture).take(width.into()).read_to_end(&mut bytes).unwrap();
        if bytes.len() < usize::from(width) {
            return Err(BadPicture { bytes: bytes.len() as u64 });
        }
        File::from(out).write_all(&bytes).unwrap();
        Ok(bytes.len() as u64)
    }

    async fn whoami(&mut self, cx: &mut Context) -> String {
        cx.address().to_string()
    }

    async fn break_now(&mut self) {
        panic!("on purpose");
    }

    async fn hold(&mut self) -> Later<()> {
        let (later, answer) = Later::pair();
        self.held.push(answer);
        later
    }

    async fn stop(&mut self, cx: &mut Context) {
        cx.stop();
    }
}

fn shrinker() -> Worker {
    Worker::new("shrinker", Sandbox::sealed()).serve(ThumbsRef::serve(Shrinker::default))
}

fn front(sandbox: Sandbox, main: impl AsyncFnOnce(Context) -> Result<(), ActorError> + 'static) -> Program {
    Program::new().add(shrinker().instances(2)).main("front", sandbox, main)
}

#[test]
fn the_first_program_runs_in_one_process() {
    Program::new()
        .worker("shrinker", Sandbox::sealed().memory_max_mib(64), ThumbsRef::serve(Shrinker::default))
        .main("front", Sandbox::sealed().grant("shrinker"), async |cx: Context| {
            let mut picture = tempfile::tempfile()?;
            picture.write_all(b"a picture")?;
            picture.seek(SeekFrom::Start(0))?;
            let mut out = tempfile::tempfile()?;
            let thumbs: ThumbsRef = cx.peer("shrinker")?;
            let call = thumbs.shrink(picture.into(), out.try_clone()?.into(), 5);
            assert_eq!(call.ask(SOON).await??, 5);
            let mut copied = String::new();
            out.seek(SeekFrom::Start(0))?;
            out.read_to_string(&mut copied)?;
            assert_eq!(copied, "a pic");
            let refused = thumbs.shrink(tempfile::tempfile()?.into(), out.into(), 5).ask(SOON).await?;
            assert_eq!(refused, Err(BadPicture { bytes: 0 }));
            assert_eq!(thumbs.whoami().ask(SOON).await?, "shrinker/thumbs#1");
            Ok(())
        })
        .run_local()
        .unwrap();
}

#[test]
fn what_main_returns_is_what_the_program_returns() {
    let error = front(Sandbox::sealed(), async |_cx: Context| Err(ActorError::message("no pictures")));
    assert_eq!(error.run_local().unwrap_err().to_string(), "no pictures");
}

#[test]
fn without_a_grant_a_worker_is_not_found() {
    let program = front(Sandbox::sealed(), async |cx: Context| {
        let refused = cx.peer::<ThumbsRef>("shrinker").unwrap_err();
        assert!(
            refused.to_string().starts_with("no grant from `front` to a worker `shrinker`; if"),
            "{refused}"
        );
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let program = front(Sandbox::sealed().grant("shrinker"), async |cx: Context| {
        let said = |name: &str| cx.peer::<ThumbsRef>(name).unwrap_err().to_string();
        assert_eq!(said("shrinkr"), "no grant from `front` to a worker `shrinkr`, did you mean `shrinker`?");
        assert_eq!(
            said("shrinker/thumb"),
            "the worker `shrinker` has no actor `thumb`, did you mean `thumbs`?"
        );
        assert_eq!(said("shrinker.3"), "the worker `shrinker` has no instance 3");
        assert!(matches!(cx.peer::<ThumbsRef>("a b"), Err(PeerError::BadName(_))));
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn a_grant_of_some_methods_refuses_the_others() {
    let sandbox = Sandbox::sealed().grant_methods("shrinker", ["whoami"]);
    let program = front(sandbox, async |cx: Context| {
        let thumbs: ThumbsRef = cx.peer("shrinker.1")?;
        assert_eq!(thumbs.whoami().ask(SOON).await?, "shrinker.1/thumbs#1");
        let refused = thumbs.break_now().ask(SOON).await;
        assert_eq!(refused, Err(AskError::NotDelivered(NotDelivered::NotGranted)));
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn asks_of_a_pool_go_to_the_instance_with_the_fewest() {
    let program = front(Sandbox::sealed().grant("shrinker"), async |cx: Context| {
        let pool: ThumbsRef = cx.peer("shrinker")?;
        assert_eq!(pool.address().to_string(), "shrinker/thumbs");
        let first = pool.instance(1).unwrap();
        assert!(pool.instance(3).is_none());
        let held = tokio::task::spawn_local(pool.hold().ask(Duration::from_secs(60)));
        tokio::task::yield_now().await;
        // Whichever instance has the ask in hand, all others go to the other one.
        let mut names = Vec::new();
        for _ in 0..4 {
            names.push(pool.whoami().ask(SOON).await?);
        }
        names.dedup();
        assert_eq!(names.len(), 1, "{names:?}");
        held.abort();
        assert_eq!(first.whoami().ask(SOON).await?, "shrinker.1/thumbs#1");
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn a_pool_sends_once_more_elsewhere_what_one_instance_did_not_take() {
    let program = front(Sandbox::sealed().grant("shrinker"), async |cx: Context| {
        let pool: ThumbsRef = cx.peer("shrinker")?;
        pool.instance(1).unwrap().stop().ask(SOON).await?;
        for _ in 0..6 {
            assert_eq!(pool.whoami().ask(SOON).await?, "shrinker.2/thumbs#1");
            pool.whoami().tell().await?;
        }
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn what_waited_at_an_instance_that_stops_is_sent_once_more_elsewhere() {
    let program = front(Sandbox::sealed().grant("shrinker"), async |cx: Context| {
        let pool: ThumbsRef = cx.peer("shrinker")?;
        let ask = || pool.whoami().ask(SOON);
        // The order to stop stands in front of half of the asks, which then come back.
        let stopped = pool.instance(1).unwrap().stop().tell();
        let (stopped, a, b, c, d) = futures::join!(stopped, ask(), ask(), ask(), ask());
        stopped?;
        for name in [a, b, c, d] {
            assert_eq!(name?, "shrinker.2/thumbs#1");
        }
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn one_key_always_belongs_to_one_instance() {
    let program = front(Sandbox::sealed().grant("shrinker"), async |cx: Context| {
        let pool: ThumbsRef = cx.peer("shrinker")?;
        let mut instances = Vec::new();
        for key in 0..20 {
            let first = pool.by_key(key).whoami().ask(SOON).await?;
            assert_eq!(pool.by_key(key).whoami().ask(SOON).await?, first);
            instances.push(first);
        }
        instances.sort();
        instances.dedup();
        assert_eq!(instances, ["shrinker.1/thumbs#1", "shrinker.2/thumbs#1"]);
        Ok(())
    });
    program.run_local().unwrap();
}

#[test]
fn an_actor_that_gives_up_ends_a_program_without_a_supervisor() {
    let fragile = ThumbsRef::serve(Shrinker::default);
    let strict = Supervision::one_for_one().max_restarts(0, SECOND);
    let program =
        Program::new().add(Worker::new("shrinker", Sandbox::sealed()).serve(fragile).supervise(strict));
    let error = program
        .main("front", Sandbox::sealed().grant("shrinker"), async |cx: Context| {
            let thumbs: ThumbsRef = cx.peer("shrinker")?;
            let _ = thumbs.break_now().ask(SOON).await;
            std::future::pending().await
        })
        .run_local()
        .unwrap_err();
    let error = error.as_error().downcast_ref::<LocalError>().unwrap();
    let LocalError::GaveUp { actor, cause } = error else { panic!("{error}") };
    assert_eq!(actor.to_string(), "shrinker/thumbs#1");
    assert!(matches!(cause, Cause::Panicked { message, .. } if message == "on purpose"));
}

#[test]
fn wiring_that_cannot_be_is_refused_before_anything_starts() {
    let sandbox = Sandbox::sealed().grant("shrinkr").grant_methods("shrinker", ["shrimp"]);
    let error = front(sandbox, async |_cx: Context| panic!("nothing may start")).run_local().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no such method, did you mean `shrink`?"), "{text}");
    assert!(text.contains("shrinkr"), "{text}");
}

#[protocol]
trait Notes {
    async fn note(&mut self) -> String;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Motto {
    text: String,
    times: usize,
}

impl Notes for Motto {
    async fn note(&mut self) -> String {
        self.text.repeat(self.times)
    }
}

#[test]
fn arguments_reach_the_factory_as_its_own_type() {
    let served = NotesRef::serve(|motto: Motto| motto).with_args::<Motto>();
    let args = Motto { text: "ho".into(), times: 3 };
    let worker = Worker::new("notes", Sandbox::sealed()).serve_with(served, &args);
    let main = async |cx: Context| {
        assert_eq!(cx.peer::<NotesRef>("notes")?.note().ask(SOON).await?, "hohoho");
        Ok(())
    };
    Program::new().add(worker).main("front", Sandbox::sealed().grant("notes"), main).run_local().unwrap();
}

#[test]
fn arguments_of_the_wrong_form_refuse_the_start() {
    #[derive(serde::Serialize)]
    struct Wrong {
        text: u8,
    }
    let served = NotesRef::serve(|motto: Motto| motto).with_args::<Motto>().temporary();
    let worker = Worker::new("notes", Sandbox::sealed()).serve_with(served, &Wrong { text: 1 });
    let program = Program::new().add(worker).main("front", Sandbox::sealed(), async |_cx: Context| Ok(()));
    let error = program.run_local().unwrap_err().to_string();
    let begin = "the actor `notes` did not start: failed: ";
    assert!(error.starts_with(begin) && error.contains("expected a string"), "{error}");
}

#[test]
fn what_one_worker_keeps_another_is_given() {
    let seen = Arc::new(Mutex::new(String::new()));
    struct Keeper;
    impl Notes for Keeper {
        async fn note(&mut self) -> String {
            String::new()
        }
    }
    impl Actor for Keeper {
        async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
            let mut file = tempfile::tempfile()?;
            file.write_all(b"kept")?;
            // Under one of these a worker keeps what it leaves unread, and under the others nothing.
            for name in [".handoff", "", "a/b", "a-name-that-is-longer-than-32-letters"] {
                let error = cx.keep(name, file.try_clone()?).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
            }
            cx.keep("notes", file)?;
            Ok(())
        }
    }
    let shown = Arc::clone(&seen);
    Program::new()
        .add(Worker::new("keeper", Sandbox::sealed()).serve(NotesRef::serve(|| Keeper).with_lifecycle()))
        .main("front", Sandbox::sealed(), async move |cx: Context| {
            let mut file: File = cx.kept("notes")?;
            file.seek(SeekFrom::Start(0))?;
            file.read_to_string(&mut shown.lock().unwrap())?;
            assert_eq!(cx.kept::<File>("other").unwrap_err().kind(), ErrorKind::NotFound);
            let error = cx.kept::<TcpListener>("notes").unwrap_err();
            let expected = "what is kept under `notes` is of kind file, expected tcp-listener; look at the worker that \
                            keeps it";
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidData, expected));
            assert!(cx.kept::<OwnedFd>("notes").is_ok(), "a descriptor of any kind was asked for");
            Ok(())
        })
        .run_local()
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), "kept");
}
