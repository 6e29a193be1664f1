//! Lets in who knows the token, one wrong guess a second.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bailiwick::Credential;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::orders::Order;
use crate::session::{Session, Sessions, is_same};

/// The shortest token that is taken, without whitespace behind it.
const TOKEN_MIN: usize = 16;
/// How long nobody is let in after a wrong token, over everybody together: who drops the connection gains no time by it.
const PAUSE: Duration = Duration::from_secs(1);
/// How many tokens may wait to be looked at.
const LINE_MAX: usize = 8;

/// The token, who has signed in with it, and what they may order.
#[derive(Debug)]
pub(crate) struct Gate {
    token: Token,
    orders: Vec<Order>,
    sessions: Mutex<Sessions>,
    /// Those whose tokens are looked at, or wait for that.
    line: Semaphore,
    /// When the next token is looked at.
    opens: tokio::sync::Mutex<Instant>,
    /// One order at a time, so that connections to the supervisor are left for those who look.
    pub(crate) giving: tokio::sync::Mutex<()>,
}

/// What somebody has to know.
#[derive(Debug)]
enum Token {
    Given(Credential),
    #[cfg(test)]
    Text(String),
}

impl Gate {
    /// Makes it of a secret of this worker.
    ///
    /// # Errors
    /// If the secret is too short to be one.
    pub(crate) fn new(credential: Credential, orders: Vec<Order>) -> io::Result<Self> {
        Self::of(Token::Given(credential), orders)
    }

    #[cfg(test)]
    pub(crate) fn of_text(token: &str, orders: Vec<Order>) -> io::Result<Self> {
        Self::of(Token::Text(token.to_owned()), orders)
    }

    fn of(token: Token, orders: Vec<Order>) -> io::Result<Self> {
        let found = token.bytes().len();
        if found < TOKEN_MIN {
            let text = format!(
                "the token of [admin] has {found} bytes without whitespace at its end, and needs {TOKEN_MIN} at least: \
                 write another one into its file, as `openssl rand -hex 32` makes them"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let (sessions, giving) = (Mutex::default(), tokio::sync::Mutex::default());
        let (line, opens) = (Semaphore::new(LINE_MAX), tokio::sync::Mutex::new(Instant::now()));
        Ok(Self { token, orders, sessions, line, opens, giving })
    }

    /// Returns what may be ordered.
    pub(crate) fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Tells whether somebody knows the token. After a wrong one, whoever comes next waits; where many wait already, nobody more is
    /// let in.
    pub(crate) async fn admits(&self, token: &str, from: &str) -> bool {
        // Who guesses in a crowd waits for nothing, and keeps nobody waiting for long.
        let Ok(_place) = self.line.try_acquire() else { return false };
        let mut opens = self.opens.lock().await;
        sleep_until(*opens).await;
        let is_right = is_same(self.token.bytes(), token.trim_ascii_end());
        if !is_right {
            *opens = Instant::now() + PAUSE;
            eprintln!("<4>a wrong token from {from}");
        }
        is_right
    }

    /// Begins a session, and returns its name.
    ///
    /// # Errors
    /// If the kernel gives no random numbers.
    pub(crate) fn begin(&self) -> io::Result<String> {
        self.sessions().begin(Instant::now().into_std())
    }

    /// Returns the session of a name.
    pub(crate) fn session(&self, name: &str) -> Option<Session> {
        self.sessions().find(Instant::now().into_std(), name).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, name: &str) {
        self.sessions().end(name);
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(credential) => credential.trim_ascii_end(),
            #[cfg(test)]
            Self::Text(text) => text.as_bytes().trim_ascii_end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn a_token_has_a_shortest_length_without_what_editors_add() {
        let made = |token: &str| Gate::of_text(token, Vec::new()).is_ok();
        assert!(made(TOKEN) && made("0123456789abcdef\r\n"));
        for short in ["", "0123456789abcde", "0123456789abcde\n\n"] {
            assert!(!made(short), "{short:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_wrong_token_the_next_waits() {
        let gate = Gate::of_text("0123456789abcdef\n", Vec::new()).expect("it is long enough");
        for right in [TOKEN, "0123456789abcdef \n"] {
            assert!(gate.admits(right, "here").await, "{right:?}");
        }
        let start = Instant::now();
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", " 0123456789abcdef"] {
            assert!(!gate.admits(wrong, "here").await, "{wrong:?}");
        }
        assert!(gate.admits(TOKEN, "here").await);
        assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_in_a_crowd_holds_up_who_knows_for_seconds_only() {
        let gate = Gate::of_text(TOKEN, Vec::new()).expect("it is long enough");
        let start = Instant::now();
        let crowd = futures::future::join_all((0..100).map(|_| gate.admits("wrong", "there"))).await;
        assert!(!crowd.contains(&true));
        assert!(gate.admits(TOKEN, "here").await);
        assert!(start.elapsed() <= PAUSE * 10, "{:?}", start.elapsed());
    }
}
