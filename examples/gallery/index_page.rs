//! The page that shows the pictures.

use std::fmt::{self, Write};

use crate::folder::PAGE_PICTURES;
use crate::http::html::{Component, Size, Text};
use crate::protocol::Listing;

/// Writes the page `number`, counted from 0.
pub(crate) fn render(listing: &Listing, number: u32) -> String {
    let mut page = String::new();
    write(&mut page, listing, number).expect("a String takes every write");
    page
}

/// Begins a page: everything up to its own content.
pub(crate) fn head(page: &mut String, title: &str, subtitle: &str, actions: &str) -> fmt::Result {
    write!(
        page,
        r##"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/gallery.css">
<script src="/gallery.js" defer></script>
<a class="skip" href="#content">Skip to the content</a>
<header><h1><a href="/"><img src="/icon.svg" alt="">Gallery</a></h1><p>{subtitle}</p><nav>{actions}</nav></header>
"##
    )
}

fn write(page: &mut String, listing: &Listing, number: u32) -> fmt::Result {
    let subtitle = match listing.total {
        1 => "1 picture".to_owned(),
        total => format!("{total} pictures"),
    };
    let actions = if listing.uploads { [ADD, PROCESSES].concat() } else { PROCESSES.to_owned() };
    head(page, "Gallery", &subtitle, &actions)?;
    page.push_str("<main id=\"content\"><p class=\"message\" role=\"status\" hidden></p>\n");
    if listing.pictures.is_empty() {
        page.push_str(if listing.uploads { EMPTY } else { EMPTY_READ_ONLY });
    } else {
        page.push_str("<ul class=\"grid\">\n");
        for picture in &listing.pictures {
            let (name, address) = (Text(picture.name.as_str()), Component(picture.name.as_str()));
            writeln!(
                page,
                r#"<li><a href="/file/{address}"><img loading="lazy" src="/thumb/{address}?w=320" srcset="/thumb/{address}?w=320 320w, /thumb/{address}?w=640 640w" sizes="(min-width: 45rem) 20rem, 46vw" alt="{name}"><span><bdi>{name}</bdi><small>{size}</small></span></a></li>"#,
                size = Size(picture.bytes)
            )?;
        }
        page.push_str("</ul>\n");
    }
    pages(page, listing.total, number)?;
    page.push_str("</main>\n");
    page.push_str(VIEWER);
    Ok(())
}

fn pages(page: &mut String, total: u64, number: u32) -> fmt::Result {
    let count = total.div_ceil(PAGE_PICTURES as u64);
    let number = u64::from(number);
    if count < 2 {
        return Ok(());
    }
    page.push_str("<nav class=\"pages\" aria-label=\"Pages\">");
    if number > 0 {
        write!(page, "<a class=\"button\" rel=\"prev\" href=\"/?page={}\">← Previous</a>", number - 1)?;
    }
    write!(page, "<span>{} of {count}</span>", number + 1)?;
    if number + 1 < count {
        write!(page, "<a class=\"button\" rel=\"next\" href=\"/?page={}\">Next →</a>", number + 1)?;
    }
    page.push_str("</nav>\n");
    Ok(())
}

const ADD: &str = "<label class=\"button\" hidden>Add pictures<input class=\"unseen\" type=\"file\" multiple \
     accept=\".png,.jpg,.jpeg,.gif,.webp\"></label>";

const PROCESSES: &str = "<a class=\"button\" href=\"/processes\">Processes</a>";

const EMPTY: &str = "<div class=\"empty\"><h2>No pictures here</h2>\
     <p>Drop PNG, JPEG, GIF or WebP files onto this page, or put them into the folder.</p></div>\n";

const EMPTY_READ_ONLY: &str = "<div class=\"empty\"><h2>No pictures here</h2>\
     <p>Put PNG, JPEG, GIF or WebP files into the folder.</p></div>\n";

const VIEWER: &str = "<dialog aria-label=\"Picture\"><figure><img alt=\"\"><figcaption></figcaption></figure>\
     <button id=\"previous\" aria-label=\"Previous picture\">‹</button>\
     <button id=\"next\" aria-label=\"Next picture\">›</button>\
     <button id=\"close\" aria-label=\"Close\" autofocus>×</button></dialog>\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::PictureName;
    use crate::protocol::Listed;

    fn listing(name: &str, total: u64) -> Listing {
        Listing {
            pictures: vec![Listed { name: PictureName::parse(name).expect(name), bytes: 1_000 }],
            total,
            uploads: true,
        }
    }

    #[test]
    fn only_who_takes_pictures_offers_it() {
        let offers = |uploads| {
            let full = Listing { uploads, ..listing("a.png", 1) };
            let empty = Listing { uploads, ..Listing::default() };
            [&full, &empty]
                .map(|listing| render(listing, 0))
                .map(|page| (page.contains("type=\"file\""), page.contains("onto this page")))
        };
        assert_eq!(offers(true), [(true, false), (true, true)]);
        assert_eq!(offers(false), [(false, false), (false, false)]);
    }

    #[test]
    fn a_hostile_name_is_text_and_nothing_else() {
        let page = render(&listing("\"onload=alert(1)><b>.png", 1), 0);
        assert!(!page.contains("<b>"), "{page}");
        assert!(!page.contains("\"onload"), "{page}");
        assert!(page.contains("/thumb/%22onload%3Dalert%281%29%3E%3Cb%3E.png?w=320"), "{page}");
    }

    #[test]
    fn every_page_leads_to_its_neighbours() {
        let links = |number| {
            let page = render(&listing("a.png", 150), number);
            [page.contains("rel=\"prev\""), page.contains("rel=\"next\"")]
        };
        assert_eq!([0, 1, 2].map(links), [[false, true], [true, true], [true, false]]);
        assert!(!render(&listing("a.png", 60), 0).contains("class=\"pages\""));
    }
}
