//! Who is served: a page of another site in somebody's browser is not, whatever address it has made its name lead to.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nothing is loaded from elsewhere, and nobody shows this inside of another page.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Tells whether a request names this machine as the one that it speaks to.
///
/// A browser that was led here by a name which its owner lets point at 127.0.0.1 still says that name.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Tells whether a request was sent by a page of this site, or by no page at all.
///
/// Browsers say of what a page sends where the page is from; what is no browser has no cookie that others could use.
pub(crate) fn comes_from_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_here = |origin: &str| {
        let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !host.is_empty() && site.is_some_and(|site| site.eq_ignore_ascii_case(host))
    };
    let all = |name, is_fine: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value: &HeaderValue| value.to_str().is_ok_and(is_fine))
    };
    all(ORIGIN, &is_here) && all(SEC_FETCH_SITE, &|site| matches!(site, "same-origin" | "none"))
}

/// Tells whether a page of another site asked for something in the background, as browsers say. A person who follows a link from there
/// is welcome.
pub(crate) fn is_part_of_another_site(headers: &HeaderMap) -> bool {
    let is =
        |name: &str, word: &str| headers.get(name).is_some_and(|value| value.as_bytes() == word.as_bytes());
    let is_from_elsewhere = ["cross-site", "same-site"].iter().any(|site| is("sec-fetch-site", site));
    is_from_elsewhere && !is("sec-fetch-mode", "navigate")
}

/// Adds what keeps a browser from making more of an answer than it is.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` browsers would hide the origin of forms also from this site itself.
        (REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_of_another_site_sends_does_not_come_from_here() {
        let is_ours = |more: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("127.0.0.1:9464"));
            for (name, value) in more {
                headers.append(*name, HeaderValue::from_static(value));
            }
            comes_from_here(&headers)
        };
        let here = ("origin", "http://127.0.0.1:9464");
        assert!(is_ours(&[]) && is_ours(&[here]) && is_ours(&[here, ("sec-fetch-site", "same-origin")]));
        assert!(is_ours(&[("origin", "https://127.0.0.1:9464")]), "somebody encrypts before it");
        for origin in
            ["http://evil.example", "http://127.0.0.1:9465", "http://127.0.0.1:9464.evil.example", "null", ""]
        {
            assert!(!is_ours(&[("origin", origin)]), "{origin}");
            assert!(!is_ours(&[here, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!is_ours(&[here, ("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn what_a_page_of_another_site_asks_for_in_the_background_is_known() {
        let asked = |site: &'static str, mode: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            headers.insert("sec-fetch-mode", HeaderValue::from_static(mode));
            is_part_of_another_site(&headers)
        };
        assert!(asked("cross-site", "no-cors") && asked("same-site", "cors"));
        assert!(
            !asked("cross-site", "navigate") && !asked("same-origin", "cors") && !asked("none", "navigate")
        );
        assert!(!is_part_of_another_site(&HeaderMap::new()), "a program says nothing of the kind");
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        let is_served = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).expect("it is plain"));
            names_this_machine(&headers)
        };
        for host in [
            "localhost",
            "LOCALHOST:9464",
            "127.0.0.1",
            "127.0.0.1:9464",
            "127.9.9.9:1",
            "[::1]:9464",
            "[::1]",
        ] {
            assert!(is_served(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9464",
            "10.0.0.1:9464",
            "[::2]",
            "[::1",
            ":9464",
        ] {
            assert!(!is_served(host), "{host}");
        }
        assert!(!names_this_machine(&HeaderMap::new()), "no host at all");
    }
}
