//! What a request's address means.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::{self, HeaderMap};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// A place of the gallery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Index { page: u32 },
    Thumb { name: String, width: u16 },
    File { name: String },
    Processes,
    Style,
    Script,
    Icon,
}

/// Why an address means nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum AddressError {
    #[error("there is nothing here")]
    Nothing,
    #[error("the address is not text")]
    NotText,
    #[error("w is the width of the thumbnail, {WIDTH_MIN} to {WIDTH_MAX}")]
    Width,
    #[error("page is a number, counted from 0")]
    Page,
}

/// The width of a thumbnail that nobody asked otherwise for.
const WIDTH: u16 = 320;
const WIDTH_MIN: u16 = 16;
const WIDTH_MAX: u16 = 1280;

/// Reads an address.
///
/// # Errors
/// [`AddressError::Nothing`] for places that do not exist, the others for what cannot be read.
pub(crate) fn place_of(uri: &Uri) -> Result<Place, AddressError> {
    let parameter = |key: &str| {
        let pairs = uri.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(found, _)| *found == key).map(|(_, value)| value).next()
    };
    match uri.path() {
        "/" => {
            let page = parameter("page").map_or(Ok(0), str::parse);
            Ok(Place::Index { page: page.map_err(|_| AddressError::Page)? })
        }
        "/processes" => Ok(Place::Processes),
        "/gallery.css" => Ok(Place::Style),
        "/gallery.js" => Ok(Place::Script),
        "/icon.svg" => Ok(Place::Icon),
        path => match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
            Some(("file", name)) => Ok(Place::File { name: decoded(name)? }),
            Some(("thumb", name)) => {
                let width =
                    parameter("w").map_or(Ok(WIDTH), |text| text.parse().map_err(|_| AddressError::Width))?;
                if !(WIDTH_MIN..=WIDTH_MAX).contains(&width) {
                    return Err(AddressError::Width);
                }
                Ok(Place::Thumb { name: decoded(name)?, width })
            }
            Some(_) | None => Err(AddressError::Nothing),
        },
    }
}

/// Tells whether a request to a gallery that only this machine reaches was made under a name of this machine.
///
/// A page from elsewhere can have its own name resolved to this machine and would then count as
/// the gallery's own page; the `Host` header still shows its name.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn decoded(component: &str) -> Result<String, AddressError> {
    let text = percent_decode_str(component).decode_utf8().map_err(|_| AddressError::NotText)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Result<Place, AddressError> {
        place_of(&address.parse().expect(address))
    }

    #[test]
    fn addresses_of_pictures_carry_names_of_any_script() {
        let name = || "Zürich 1/2.png".to_owned();
        assert_eq!(place("/file/Z%C3%BCrich%201%2F2.png"), Ok(Place::File { name: name() }));
        assert_eq!(
            place("/thumb/Z%C3%BCrich%201%2F2.png?w=640"),
            Ok(Place::Thumb { name: name(), width: 640 })
        );
        assert_eq!(place("/thumb/a.png"), Ok(Place::Thumb { name: "a.png".to_owned(), width: WIDTH }));
        assert_eq!(place("/file/%ff.png"), Err(AddressError::NotText));
    }

    #[test]
    fn widths_end_at_their_limits() {
        for width in ["15", "1281", "-1", "", "99999999", "320px"] {
            assert_eq!(place(&format!("/thumb/a.png?w={width}")), Err(AddressError::Width), "{width}");
        }
        for width in [16, 1280] {
            let expected = Place::Thumb { name: "a.png".to_owned(), width };
            assert_eq!(place(&format!("/thumb/a.png?w={width}")), Ok(expected));
        }
    }

    #[test]
    fn places_that_do_not_exist_are_nothing() {
        for address in ["/etc/passwd", "/file", "/thumb", "//", "/processes/", "/gallery.css/x"] {
            assert_eq!(place(address), Err(AddressError::Nothing), "{address}");
        }
        assert_eq!(place("/?page=3"), Ok(Place::Index { page: 3 }));
        assert_eq!(place("/?page=-3"), Err(AddressError::Page));
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_not_its_own() {
        let host = |name: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, name.parse().expect(name))]);
            names_this_machine(&headers)
        };
        for own in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"] {
            assert!(host(own), "{own}");
        }
        for foreign in
            ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "[::2]:80", ""]
        {
            assert!(!host(foreign), "{foreign}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
