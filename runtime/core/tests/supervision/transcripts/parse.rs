//! Reads time and event of one line of a transcript.

use bailiwick_core::exit::Exit;
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{ChildId, Event, GroupId, Incarnation, Outdated, Verb};

pub(super) fn line(line: &str) -> Option<(Instant, Event)> {
    let (told, _) = line.split_once("->").unwrap_or((line, ""));
    let words: Vec<_> = told.split_whitespace().collect();
    let (now, words) = words.split_first()?;
    Some((instant(now)?, event(words)?))
}

fn event(words: &[&str]) -> Option<Event> {
    Some(match *words {
        ["boot"] => Event::Boot,
        ["spawned", of] => Event::Spawned(life(of)?),
        ["standing", of] => Event::Standing(life(of)?),
        ["spawn-failed", of, "step", step, "errno", errno, "chance", chance] => Event::SpawnFailed {
            of: life(of)?,
            step: step.parse().ok()?,
            errno: errno.parse().ok()?,
            chance: chance.parse().ok()?,
        },
        ["ready", of] => Event::Ready(life(of)?),
        ["unready", of] => Event::Unready(life(of)?),
        ["drained", of] => Event::Drained(life(of)?),
        ["reloading", of] => Event::Reloading(life(of)?),
        ["declined", of] => Event::Declined(life(of)?),
        ["refused", of] => Event::Refused(life(of)?),
        ["extend", of, "by", time, "s"] => {
            Event::Extend { of: life(of)?, by: instant(time)?.since(Instant::START) }
        }
        ["settled", of] => Event::Settled(life(of)?),
        ["hung", of] => Event::Hung(life(of)?),
        ["skipped", of] => Event::Skipped(life(of)?),
        ["spent", of] => Event::Spent(life(of)?),
        ["idle", of] => Event::Idle(life(of)?),
        ["wanted", child] => Event::Wanted(self::child(child)?),
        ["sigstopped", of] => Event::Sigstopped(life(of)?),
        ["continued", of] => Event::Continued(life(of)?),
        ["looked", of, ref how @ ..] => looked(life(of)?, how)?,
        ["outdated", "config", child] => {
            Event::Outdated { child: self::child(child)?, what: Outdated::Config }
        }
        ["outdated", "binary", child] => {
            Event::Outdated { child: self::child(child)?, what: Outdated::Binary }
        }
        ["violated", of] => Event::Violated(life(of)?),
        ["exited", of, "code", code] => Event::Exited { of: life(of)?, exit: Exit::Code(code.parse().ok()?) },
        ["exited", of, "signal", signal] => {
            Event::Exited { of: life(of)?, exit: Exit::Signal(signal.parse().ok()?) }
        }
        ["exited", of, "out", "of", "memory"] => Event::Exited { of: life(of)?, exit: Exit::OutOfMemory },
        ["emptied", of, "chance", chance] => Event::Emptied { of: life(of)?, chance: chance.parse().ok()? },
        ["operator", verb, child] => Event::Operator { verb: self::verb(verb)?, child: self::child(child)? },
        ["scale", group, size] => {
            Event::Scale { group: GroupId(group.parse().ok()?), size: size.parse().ok()? }
        }
        ["shut-down"] => Event::ShutDown,
        ["kill"] => Event::Kill,
        ["tick"] => Event::Tick,
        _ => return None,
    })
}

fn looked(of: Incarnation, how: &[&str]) -> Option<Event> {
    let (busy_since, rest) = match how {
        ["idle", rest @ ..] => (None, rest),
        ["busy", "since", since, rest @ ..] => (Some(instant(since)?), rest),
        _ => return None,
    };
    Some(Event::Looked { of, busy_since, traced: rest == ["traced"] })
}

fn instant(text: &str) -> Option<Instant> {
    let (seconds, fraction) = text.split_once('.')?;
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    Some(Instant::from_nanos(seconds.parse::<u64>().ok()? * 1_000_000_000 + nanos))
}

fn life(text: &str) -> Option<Incarnation> {
    let (child, generation) = text.split_once('#')?;
    Some(Incarnation { child: self::child(child)?, generation: generation.parse().ok()? })
}

fn child(text: &str) -> Option<ChildId> {
    text.parse().ok().map(ChildId)
}

fn verb(text: &str) -> Option<Verb> {
    match text {
        "start" => Some(Verb::Start),
        "join" => Some(Verb::Join),
        "stop" => Some(Verb::Stop),
        "restart" => Some(Verb::Restart),
        "roll" => Some(Verb::Roll),
        "reload" => Some(Verb::Reload),
        "drain" => Some(Verb::Drain),
        "kill" => Some(Verb::Kill),
        "reset" => Some(Verb::Reset),
        "renew" => Some(Verb::Renew),
        "remove" => Some(Verb::Remove),
        _ => None,
    }
}
