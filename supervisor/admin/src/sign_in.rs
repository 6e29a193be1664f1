//! Signing in with a browser, and out again.

use std::sync::Arc;

use axum::extract::{Extension, Form, State};
use axum::http::header::{ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::caller::Caller;
use crate::dashboard::sign_in_form;
use crate::desk::Office;
use crate::gate::Gate;
use crate::guard::comes_from_here;
use crate::orders::{Signed, elsewhere};
use crate::session::{COOKIE_NAME, SESSION_LIMIT, Viewer, cookie};

/// What the form carries.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    token: String,
}

/// Shows the form.
pub(crate) async fn form(State(office): State<Office>, headers: HeaderMap) -> Response {
    sign_in_form(StatusCode::OK, &Viewer::of(&office, &headers), None)
}

/// Begins a session for who knows the token.
pub(crate) async fn enter(
    State(office): State<Office>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let viewer = Viewer::of(&office, &headers);
    if !comes_from_here(&headers) {
        return elsewhere(&viewer);
    }
    let Some(gate) = &office.gate else { return StatusCode::NOT_FOUND.into_response() };
    if !gate.admits(&asked.token, &caller.to_string()).await {
        return sign_in_form(StatusCode::FORBIDDEN, &viewer, Some("this is not the token."));
    }
    begin(gate, &viewer, &headers, caller)
}

fn begin(gate: &Arc<Gate>, viewer: &Viewer, headers: &HeaderMap, caller: Caller) -> Response {
    let Ok(name) = gate.begin() else {
        let text = "there are no random numbers to be had.";
        return sign_in_form(StatusCode::SERVICE_UNAVAILABLE, viewer, Some(text));
    };
    eprintln!("<5>{caller} has signed in");
    let is_encrypted = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https:"));
    let secure = if is_encrypted { "; Secure" } else { "" };
    let lasts = SESSION_LIMIT.as_secs();
    let cookie = format!("{COOKIE_NAME}={name}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lasts}{secure}");
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// Ends a session.
pub(crate) async fn leave(
    State(office): State<Office>,
    headers: HeaderMap,
    Form(form): Form<Signed>,
) -> Response {
    let viewer = Viewer::of(&office, &headers);
    let is_meant = viewer.session.as_ref().is_some_and(|session| session.made(&form.csrf));
    if !comes_from_here(&headers) || !is_meant {
        return elsewhere(&viewer);
    }
    if let (Some(gate), Some(name)) = (&office.gate, cookie(&headers)) {
        gate.end(name);
    }
    let cookie = format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
