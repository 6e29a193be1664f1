//! Answers, each with the headers that keep a browser from being turned against its user.

use std::time::{Duration, UNIX_EPOCH};

use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Content;

/// An answer.
pub(crate) type Reply = Response<Content>;

/// Nothing comes from elsewhere, nothing in a page may run or be framed.
const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ON_EVERY_REPLY: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // Asking again costs little, since an unchanged picture is answered without its content.
    (header::CACHE_CONTROL, "private, no-cache"),
];

/// Returns an answer with `content` of a media type.
pub(crate) fn reply(status: StatusCode, media_type: &'static str, content: Content) -> Reply {
    let mut reply = Response::new(content);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    for (name, value) in ON_EVERY_REPLY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply
}

/// Returns a page.
pub(crate) fn page(html: String) -> Reply {
    reply(StatusCode::OK, "text/html; charset=utf-8", Content::bytes(html))
}

/// Returns an answer without content.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = reply(status, "text/plain; charset=utf-8", Content::empty());
    reply.headers_mut().remove(header::CONTENT_TYPE);
    reply
}

/// Returns an error with a sentence about it.
pub(crate) fn error(status: StatusCode, sentence: &str) -> Reply {
    let line = Bytes::from(format!("{}: {sentence}\n", status.as_str()));
    let mut reply = reply(status, "text/plain; charset=utf-8", Content::bytes(line));
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Returns the answer for a part of the service that is being restarted.
pub(crate) fn unavailable(sentence: &str) -> Reply {
    let mut reply = error(StatusCode::SERVICE_UNAVAILABLE, sentence);
    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}

/// Returns the answer to a method that the place does not have.
pub(crate) fn not_allowed(allowed: &'static str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, "this place is not used that way");
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// What tells one state of a picture from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    tag: String,
    modified: Option<String>,
}

impl Validators {
    /// Makes a tag of numbers that differ when the content does, and of the time of the last change.
    pub(crate) fn new(numbers: &[u64], modified_ns: u64) -> Self {
        let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:x}")).collect();
        let modified = UNIX_EPOCH.checked_add(Duration::from_nanos(modified_ns));
        Self {
            tag: format!("\"{}-{modified_ns:x}\"", numbers.join("-")),
            modified: modified.map(httpdate::fmt_http_date),
        }
    }

    /// Tells whether the client already has this state.
    pub(crate) fn is_known_to(&self, request: &HeaderMap) -> bool {
        match (request.get(header::IF_NONE_MATCH), request.get(header::IF_MODIFIED_SINCE)) {
            (Some(tags), _) => tags.to_str().is_ok_and(|tags| self.is_among(tags)),
            (None, Some(since)) => since.to_str().ok() == self.modified.as_deref(),
            (None, None) => false,
        }
    }

    /// Tells whether a part of this state fits what the client has of it.
    pub(crate) fn permit_part(&self, request: &HeaderMap) -> bool {
        match request.get(header::IF_RANGE).map(HeaderValue::to_str) {
            None => true,
            Some(Ok(condition)) => condition == self.tag || Some(condition) == self.modified.as_deref(),
            Some(Err(_)) => false,
        }
    }

    /// Writes them into an answer.
    pub(crate) fn mark(&self, reply: &mut Reply) {
        let headers = reply.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(modified) = self.modified.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::LAST_MODIFIED, modified);
        }
    }

    fn is_among(&self, tags: &str) -> bool {
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a header"))])
    }

    #[test]
    fn a_client_that_has_this_state_is_recognised() {
        let now = Validators::new(&[10, 320], 1_000_000_000);
        assert_eq!(now.tag, "\"a-140-3b9aca00\"");
        for tags in ["\"a-140-3b9aca00\"", "\"x\", W/\"a-140-3b9aca00\"", "*"] {
            assert!(now.is_known_to(&headers(header::IF_NONE_MATCH, tags)), "{tags}");
        }
        assert!(now.is_known_to(&headers(header::IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:01 GMT")));
        assert!(!now.is_known_to(&headers(header::IF_NONE_MATCH, "\"a-140\"")));
        assert!(!now.is_known_to(&HeaderMap::new()));
    }

    #[test]
    fn a_part_of_another_state_is_not_sent() {
        let now = Validators::new(&[10], 1_000_000_000);
        assert!(now.permit_part(&HeaderMap::new()));
        assert!(now.permit_part(&headers(header::IF_RANGE, "\"a-3b9aca00\"")));
        assert!(!now.permit_part(&headers(header::IF_RANGE, "\"b-3b9aca00\"")));
    }
}
