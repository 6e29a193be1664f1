//! An answer that is read line by line as it comes, until somebody interrupts that.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use nix::sys::signal::{SigSet, Signal};
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::exchange::{Broken, Question, begin, executor, whole};

/// The longest line.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What ends it in order.
const SIGNALS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// How it ended.
pub(super) enum Lines {
    /// After the last line, when no more were wanted, or because it broke off.
    Ended,
    Interrupted,
    /// There were no lines, but a refusal with this code and text.
    Refused(u16, String),
}

/// Asks whoever listens at an address, and hands over each line of the answer until `take` wants no more.
pub(super) fn follow(
    address: &str,
    question: Question<'_>,
    limit: Duration,
    take: &mut dyn FnMut(&str) -> bool,
) -> Result<Lines, Broken> {
    let signalled = signalled()?;
    let lines = async {
        let response = begin(address, question).await?;
        let code = response.status().as_u16();
        match code {
            200..=299 => each_line(response.into_body(), take).await,
            _ => Ok(Lines::Refused(code, whole(response.into_body()).await?)),
        }
    };
    executor()?.block_on(async {
        select! {
            biased;
            Ok(()) = signalled => Ok(Lines::Interrupted),
            lines = timeout(limit, lines) => lines.unwrap_or(Err(Broken::TimedOut)),
        }
    })
}

async fn each_line(mut body: Incoming, take: &mut dyn FnMut(&str) -> bool) -> Result<Lines, Broken> {
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        // Whoever reads the lines knows the last one, and whether it was there.
        let Ok(frame) = frame else { return Ok(Lines::Ended) };
        let Ok(data) = frame.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = str::from_utf8(&line[..end]).map_err(|_| Broken::NoText)?;
            if !take(line) {
                return Ok(Lines::Ended);
            }
        }
        if rest.len() > LINE_BYTES_MAX {
            return Err(Broken::TooLong);
        }
    }
    Ok(Lines::Ended)
}

/// Returns what is told of the first signal that would end this process, which from here on ends it no more.
fn signalled() -> Result<oneshot::Receiver<()>, Broken> {
    let signals: SigSet = SIGNALS.into_iter().collect();
    // The only other thread is begun after this, and has the same mask.
    signals.thread_block().map_err(|errno| Broken::Unreachable(errno.into()))?;
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _gone = signals.wait().map(|_| tell.send(()));
    });
    Ok(told)
}
