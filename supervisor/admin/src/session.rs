//! Who looks: nobody in particular, or somebody who has signed in with a browser.

use std::io;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use subtle::ConstantTimeEq;

use crate::desk::Office;
use crate::orders::Order;

/// The name of the cookie that holds a session's name.
pub(crate) const COOKIE_NAME: &str = "bailiwick-session";
/// How long a session lasts.
pub(crate) const SESSION_LIMIT: Duration = Duration::from_secs(12 * 3600);
/// How many there are at a time; who signs in beyond that ends the oldest.
const SESSIONS_MAX: usize = 16;

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// What its forms carry, which no page of another site knows.
    pub(crate) csrf: String,
    name: String,
    until: Instant,
}

/// All who have signed in.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Vec<Session>,
}

/// Who looks at a page, and what it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) session: Option<Session>,
    /// What may be ordered by who has signed in.
    pub(crate) orders: Vec<Order>,
    pub(crate) can_sign_in: bool,
    /// Whether it is shown what workers print: who may open the file at which this serves, or has signed in.
    pub(crate) sees_output: bool,
}

impl Viewer {
    /// Returns who sent a request.
    pub(crate) fn of(office: &Office, headers: &HeaderMap) -> Self {
        let Some(gate) = &office.gate else {
            let sees_output = office.is_local_file;
            return Self { session: None, orders: Vec::new(), can_sign_in: false, sees_output };
        };
        let session = cookie(headers).and_then(|name| gate.session(name));
        let sees_output = office.is_local_file || session.is_some();
        Self { session, orders: gate.orders().to_vec(), can_sign_in: true, sees_output }
    }
}

impl Sessions {
    /// Begins a session; returns its name, which only its browser is told.
    ///
    /// # Errors
    /// If the kernel gives no random numbers.
    pub(crate) fn begin(&mut self, now: Instant) -> io::Result<String> {
        let (name, csrf) = (random()?, random()?);
        self.open.retain(|session| session.until > now);
        if self.open.len() == SESSIONS_MAX {
            self.open.remove(0);
        }
        self.open.push(Session { csrf, name: name.clone(), until: now + SESSION_LIMIT });
        Ok(name)
    }

    /// Returns the session of a name, if it has not ended.
    pub(crate) fn find(&self, now: Instant, name: &str) -> Option<&Session> {
        self.open.iter().find(|session| session.until > now && is_same(&session.name, name))
    }

    /// Ends a session.
    pub(crate) fn end(&mut self, name: &str) {
        self.open.retain(|session| !is_same(&session.name, name));
    }
}

impl Session {
    /// Returns whether a form comes from one of its pages.
    pub(crate) fn made(&self, csrf: &str) -> bool {
        is_same(&self.csrf, csrf)
    }
}

/// Returns the name of the session that a browser says it has.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// Compares secrets in a time that tells nothing but whether they are as long as each other.
pub(crate) fn is_same(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    one.as_ref().ct_eq(other.as_ref()).into()
}

/// Returns 128 random bits, as text.
fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_session_ends_by_time_by_order_and_by_too_many_others() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.begin(now).expect("there are random numbers");
        assert_eq!(first.len(), 32);
        assert!(sessions.find(now, &first).is_some());
        assert!(sessions.find(now, &first[..31]).is_none() && sessions.find(now, "").is_none());
        assert!(sessions.find(now + SESSION_LIMIT - Duration::from_secs(1), &first).is_some());
        assert!(sessions.find(now + SESSION_LIMIT, &first).is_none());
        let others: Vec<_> =
            (0..SESSIONS_MAX).map(|_| sessions.begin(now).expect("there are some")).collect();
        assert!(sessions.find(now, &first).is_none(), "the oldest gave way");
        assert!(others.iter().all(|name| sessions.find(now, name).is_some()));
        sessions.end(&others[3]);
        assert!(sessions.find(now, &others[3]).is_none() && sessions.find(now, &others[4]).is_some());
    }

    #[test]
    fn no_two_sessions_share_a_name_or_a_secret() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let [one, other] = [0, 1].map(|_| sessions.begin(now).expect("there are random numbers"));
        assert_ne!(one, other);
        let [one, other] = [one, other].map(|name| sessions.find(now, &name).expect("it is open").clone());
        assert!(one.made(&one.csrf) && !one.made(&other.csrf) && !one.made(""));
        assert_ne!(one.csrf, one.name);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(line).expect("it is plain"));
            cookie(&headers).map(str::to_owned)
        };
        assert_eq!(found("a=b; bailiwick-session=abc; c=d"), Some("abc".into()));
        assert_eq!(found("bailiwick-session=abc"), Some("abc".into()));
        for none in ["", "bailiwick-session", "xbailiwick-session=abc", "a=bailiwick-session=abc"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
