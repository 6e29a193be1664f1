//! Who may read what workers printed and how they crashed: what a journal would not show to everybody either.
//!
//! At a Unix socket that is whoever may open it. Over TCP everybody on the machine reaches the address, so there it is who knows the
//! token alone, as a program that sends it or a person who has signed in; without a token in the manifest, nobody.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::caller::Caller;
use crate::desk::Office;
use crate::guard::comes_from_here;
use crate::orders::admitted;
use crate::session::Viewer;
use crate::site::{self, TEXT};

const NO_TOKEN: &str = "what workers print is told over TCP to those alone who know a token, and the manifest has none: write \
     `token = \"PATH\"` into [admin], or let it serve at a socket, `unix = \"PATH\"`, to those who may open that\n";
const WRONG_TOKEN: &str = "what workers print is told to those alone who know the token, and this was sent with none, or with a wrong one: send \
     `Authorization: Bearer TOKEN`, with what stands in the file that `token` of [admin] names\n";

/// Lets pass who may read what workers printed.
///
/// # Errors
/// What a refusal answers.
pub(crate) async fn may_read(office: &Office, headers: &HeaderMap, caller: Caller) -> Result<(), Response> {
    if Viewer::of(office, headers).sees_output {
        return Ok(());
    }
    let Some(gate) = &office.gate else {
        return Err(site::plain(StatusCode::FORBIDDEN, TEXT, NO_TOKEN.to_owned()));
    };
    if !comes_from_here(headers) {
        let text = "it was sent by a page of another site\n".to_owned();
        return Err(site::plain(StatusCode::FORBIDDEN, TEXT, text));
    }
    if admitted(gate, headers, caller).await {
        return Ok(());
    }
    let refusal = site::plain(StatusCode::UNAUTHORIZED, TEXT, WRONG_TOKEN.to_owned());
    Err(([(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))], refusal).into_response())
}
