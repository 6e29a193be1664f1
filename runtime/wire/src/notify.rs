//! What a foreign program is told by its environment, and what it tells by sd_notify: lines of `KEY=VALUE` in one
//! datagram.
//!
//! Whoever sends them may be hostile: what reads them does not panic, allocate or trust a number. A key that is unknown,
//! or whose value is none of its own, is as if it were not there, as systemd has it.

use std::ffi::CString;
use std::time::Duration;

/// The longest datagram that is read; what is longer is ignored as a whole, as systemd has it.
pub const MAX_BYTES: usize = 4096;

/// One thing that a program tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// `READY=1`: it is ready, or has taken up what changed.
    Ready,
    /// `X_BAILIWICK_UNREADY=1`: nothing should be sent to it at present.
    Unready,
    /// `RELOADING=1`: it takes up what changed, and will say again that it is ready.
    Reloading,
    /// `STOPPING=1`: it is about to end.
    Stopping,
    /// `STATUS=…`: a line for people.
    Status(&'a str),
    /// `ERRNO=…`: why it fails, as an error number.
    Errno(i32),
    /// `WATCHDOG=1`: it gets on.
    Alive,
    /// `WATCHDOG=trigger`: it does not get on, and says so itself.
    Hung,
    /// `WATCHDOG_USEC=…`: from now on it says so often that it gets on.
    AliveEvery(Duration),
    /// `EXTEND_TIMEOUT_USEC=…`: it needs so much more time, from now.
    Extend(Duration),
    /// `RESTART_RESET=1`: it runs well, and its failures are to be forgotten.
    Settled,
    /// `MAINPID=…`, `MAINPIDFDID=…`: another process is to be watched in its place. Always refused.
    OtherProcess,
    /// `FDSTORE=1`, `FDSTOREREMOVE=1`: descriptors are to be kept. Refused by this version.
    KeepDescriptors,
    /// `BARRIER=1`: the attached descriptor is to be closed once everything before it was acted on.
    Barrier,
}

/// Returns the variables of the environment by which a program learns where it is heard, how often it is to say that
/// it gets on, and what the descriptors from 3 on are called that it is born with. `LISTEN_PID` is left for whoever
/// knows the number of its process. A text with a NUL, which no variable can have, is left out.
pub fn variables(notify: Option<&str>, watchdog: Option<Duration>, descriptors: &[String]) -> Vec<CString> {
    let mut variables = Vec::new();
    variables.extend(notify.map(|path| format!("NOTIFY_SOCKET={path}")));
    variables.extend(watchdog.map(|every| format!("WATCHDOG_USEC={}", every.as_micros())));
    if !descriptors.is_empty() {
        variables.push(format!("LISTEN_FDS={}", descriptors.len()));
        variables.push(format!("LISTEN_FDNAMES={}", descriptors.join(":")));
        variables.push("LISTEN_PID=".to_owned());
    }
    variables.into_iter().filter_map(|text| CString::new(text).ok()).collect()
}

/// Returns what a datagram tells, in its order.
pub fn notices(datagram: &[u8]) -> impl Iterator<Item = Notice<'_>> {
    datagram.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()).filter_map(notice)
}

fn notice(line: &str) -> Option<Notice<'_>> {
    let (key, value) = line.split_once('=')?;
    Some(match (key, value) {
        ("READY", "1") => Notice::Ready,
        ("X_BAILIWICK_UNREADY", "1") => Notice::Unready,
        ("RELOADING", "1") => Notice::Reloading,
        ("STOPPING", "1") => Notice::Stopping,
        ("STATUS", text) => Notice::Status(text),
        ("ERRNO", number) => Notice::Errno(number.parse().ok()?),
        ("WATCHDOG", "1") => Notice::Alive,
        ("WATCHDOG", "trigger") => Notice::Hung,
        ("WATCHDOG_USEC", number) => Notice::AliveEvery(micros(number)?),
        ("EXTEND_TIMEOUT_USEC", number) => Notice::Extend(micros(number)?),
        ("RESTART_RESET", "1") => Notice::Settled,
        ("MAINPID" | "MAINPIDFDID", _) => Notice::OtherProcess,
        ("FDSTORE" | "FDSTOREREMOVE", "1") => Notice::KeepDescriptors,
        ("BARRIER", "1") => Notice::Barrier,
        _ => return None,
    })
}

/// Reads a number of microseconds. Zero is no time, and more than a year is nobody's timeout but a mistake.
fn micros(text: &str) -> Option<Duration> {
    let time = Duration::from_micros(text.parse().ok()?);
    (!time.is_zero() && time <= YEAR).then_some(time)
}

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<Notice<'_>> {
        notices(text.as_bytes()).collect()
    }

    #[test]
    fn a_program_is_told_what_concerns_it_and_no_more() {
        let texts = |variables: Vec<CString>| {
            variables.into_iter().map(|text| text.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert!(variables(None, None, &[]).is_empty());
        let watched = texts(variables(Some("/run/notify.0"), Some(Duration::from_millis(3)), &[]));
        assert_eq!(watched, ["NOTIFY_SOCKET=/run/notify.0", "WATCHDOG_USEC=3000"]);
        let listening = texts(variables(Some("/run/\0"), None, &["http".to_owned(), "admin".to_owned()]));
        assert_eq!(listening, ["LISTEN_FDS=2", "LISTEN_FDNAMES=http:admin", "LISTEN_PID="]);
    }

    #[test]
    fn every_key_is_understood_and_the_order_is_kept() {
        let text = "READY=1\nX_BAILIWICK_UNREADY=1\nRELOADING=1\nMONOTONIC_USEC=7\nSTOPPING=1\nSTATUS=a=b\nERRNO=2\n\
            WATCHDOG=1\nWATCHDOG=trigger\nWATCHDOG_USEC=5\nEXTEND_TIMEOUT_USEC=6\nRESTART_RESET=1\nMAINPID=1\n\
            FDSTORE=1\nFDNAME=x\nBARRIER=1\n";
        let micros = Duration::from_micros;
        let expected = [
            Notice::Ready,
            Notice::Unready,
            Notice::Reloading,
            Notice::Stopping,
            Notice::Status("a=b"),
            Notice::Errno(2),
            Notice::Alive,
            Notice::Hung,
            Notice::AliveEvery(micros(5)),
            Notice::Extend(micros(6)),
            Notice::Settled,
            Notice::OtherProcess,
            Notice::KeepDescriptors,
            Notice::Barrier,
        ];
        assert_eq!(told(text), expected);
    }

    #[test]
    fn what_is_not_meant_is_not_there() {
        for text in [
            "",
            "\n\n",
            "READY",
            "READY=",
            "READY=0",
            "READY=11",
            "READY=1 ",
            " READY=1",
            "ready=1",
            "ERRNO=x",
            "ERRNO=99999999999",
            "WATCHDOG=2",
            "WATCHDOG_USEC=",
            "WATCHDOG_USEC=-1",
            "WATCHDOG_USEC=0",
            "EXTEND_TIMEOUT_USEC=1e6",
            "EXTEND_TIMEOUT_USEC=18446744073709551616",
            "EXTEND_TIMEOUT_USEC=18446744073709551615",
            "X_ELSEWHERE=1",
            "BARRIER=2",
            "READY=1\0",
        ] {
            assert_eq!(told(text), [], "{text:?}");
        }
        let torn = b"\xffREADY=1\nREADY=1\nSTATUS=\xff";
        assert_eq!(notices(torn).collect::<Vec<_>>(), [Notice::Ready], "a line that is no text ends nothing");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..MAX_BYTES)) {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            prop_assert!(notices(&bytes).count() <= lines);
        }

        #[test]
        fn no_time_is_without_bounds(
            key in prop_oneof![Just("WATCHDOG_USEC"), Just("EXTEND_TIMEOUT_USEC")],
            number in "[0-9]{1,40}",
        ) {
            let line = format!("{key}={number}");
            for notice in notices(line.as_bytes()) {
                let (Notice::AliveEvery(time) | Notice::Extend(time)) = notice else {
                    return Err(TestCaseError::fail("another key"));
                };
                prop_assert!(time > Duration::ZERO && time <= YEAR);
            }
        }

        #[test]
        fn lines_are_told_one_by_one(lines in proptest::collection::vec("[A-Z_]{1,16}=[ -~]{0,20}", 0..20)) {
            let whole = lines.join("\n");
            let apart: Vec<_> = lines.iter().flat_map(|line| notices(line.as_bytes())).collect();
            prop_assert_eq!(notices(whole.as_bytes()).collect::<Vec<_>>(), apart);
        }
    }
}
