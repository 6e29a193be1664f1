//! Pages that ask something: for the token, and whether an order is meant.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use bailiwick::control::Row;

use super::frame::{still, unavailable};
use super::look::Look;
use super::overview::{Line, line};
use super::worker::nobody;
use crate::desk::Office;
use crate::orders::Order;
use crate::session::Viewer;
use crate::whom::{is_meant, target};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    trouble: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm<'a> {
    pub(super) order: Order,
    pub(super) name: &'a str,
    pub(super) csrf: &'a str,
    pub(super) rows: Vec<Line>,
}

/// Asks for the token.
pub(crate) fn sign_in_form(code: StatusCode, viewer: &Viewer, trouble: Option<&str>) -> Response {
    still(code, viewer, "Sign in", &SignIn { trouble })
}

/// Asks whether an order is meant, and shows whom it is about.
pub(crate) async fn confirmation(
    office: &Office,
    viewer: &Viewer,
    order: Order,
    name: &str,
    csrf: &str,
) -> Response {
    let look = match Look::at(office, 0).await {
        Ok(look) => look,
        Err(error) => return unavailable(viewer, &error),
    };
    let Some(target) = target(&look.status, name) else { return nobody(viewer) };
    let meant = |row: &&Row| is_meant(row, &target);
    let rows = look.status.workers.iter().filter(meant).map(|row| line(&look, row)).collect();
    still(StatusCode::OK, viewer, order.title(), &Confirm { order, name, csrf, rows })
}
