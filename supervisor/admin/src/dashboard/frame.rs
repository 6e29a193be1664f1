//! What is around the content of every page, and an answer made of both.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::look::Look;
use crate::desk::Office;
use crate::session::Viewer;

/// The header by which the script asks for a page's content alone.
const FRAGMENT: &str = "x-fragment";

/// The pages in the order of the navigation.
const PAGES: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/tree", "Tree"),
    ("/actors", "Actors"),
    ("/links", "Links"),
    ("/grants", "Grants"),
    ("/crashes", "Crashes"),
    ("/events", "Events"),
    ("/configuration", "Configuration"),
];

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    title: &'a str,
    system: &'a str,
    path: &'a str,
    pages: &'a [(&'a str, &'a str)],
    /// Made by a template that has escaped what is in it.
    content: &'a str,
    is_live: bool,
    viewer: &'a Viewer,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Where to go from here, and what is there.
    pub(crate) back: (&'a str, &'a str),
}

/// Answers with a page that is kept up to date. `path` is its place in the navigation.
pub(super) async fn live<T: Template>(
    office: &Office,
    headers: &HeaderMap,
    (path, title): (&str, &str),
    actors: u32,
    content: impl FnOnce(&Look, &Viewer) -> T,
) -> Response {
    let viewer = Viewer::of(office, headers);
    let look = match Look::at(office, actors).await {
        Ok(look) => look,
        Err(error) => return unavailable(&viewer, &error),
    };
    let content = content(&look, &viewer);
    answer(headers, &viewer, &look, (path, title), &content)
}

/// Answers with a page that was looked up already.
pub(super) fn answer(
    headers: &HeaderMap,
    viewer: &Viewer,
    look: &Look,
    (path, title): (&str, &str),
    content: &impl Template,
) -> Response {
    let content = rendered(content);
    if headers.contains_key(FRAGMENT) {
        return html(StatusCode::OK, content);
    }
    let system = &look.status.supervisor.name;
    let (pages, is_live) = (&PAGES[..], true);
    html(StatusCode::OK, rendered(&Layout { title, system, path, pages, content: &content, is_live, viewer }))
}

/// Answers with a page that stands still, such as a question or a refusal.
pub(crate) fn still(code: StatusCode, viewer: &Viewer, title: &str, content: &impl Template) -> Response {
    let content = rendered(content);
    let (system, path, pages, is_live) = ("Bailiwick", "", &PAGES[..], false);
    html(code, rendered(&Layout { title, system, path, pages, content: &content, is_live, viewer }))
}

/// Answers with a page that says one thing.
pub(crate) fn notice(code: StatusCode, viewer: &Viewer, said: &Notice<'_>) -> Response {
    still(code, viewer, said.title, said)
}

/// Says that the supervisor does not answer, or the manifest does not let this worker ask.
pub(super) fn unavailable(viewer: &Viewer, error: &std::io::Error) -> Response {
    let text = format!("The supervisor does not say how the workers are: {error}.");
    let said = Notice { title: "Nothing to be seen", text: &text, back: ("/", "Try again") };
    notice(StatusCode::SERVICE_UNAVAILABLE, viewer, &said)
}

pub(super) fn rendered(template: &impl Template) -> String {
    template.render().expect("text is written into memory, and no filter here fails")
}

fn html(code: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
