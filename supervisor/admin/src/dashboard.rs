//! The dashboard: pages for people who look at the system with a browser.
//!
//! Each page is whole without a script. With it, the page's content is fetched again when something happens. What comes from
//! workers, or is a name in a manifest, is text and nothing else: the templates escape it.

mod actors;
mod asked;
mod assets;
mod configuration;
mod crashes;
mod events;
mod frame;
mod links;
mod look;
mod overview;
mod picture;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod worker;

use axum::Router;
use axum::routing::get;

pub(crate) use asked::{confirmation, sign_in_form};
pub(crate) use frame::{Notice, notice};
pub(crate) use worker::nobody;

use crate::desk::Office;

/// Returns the pages.
pub(crate) fn router() -> Router<Office> {
    Router::new()
        .route("/", get(overview::page))
        .route("/tree", get(tree::page))
        .route("/workers/{name}", get(worker::page))
        .route("/actors", get(actors::page))
        .route("/links", get(links::page))
        .route("/grants", get(picture::page))
        .route("/crashes", get(crashes::page))
        .route("/events", get(events::page))
        .route("/configuration", get(configuration::page))
        .merge(assets::router())
}
