//! Lines as people and programs read them.

use bailiwick_admin::printed::Entry;
use bailiwick_wire::log::{Format, Lost, Priority, Said, Source};

use crate::screen::Screen;

/// The colours of names: any but those that mark what matters.
const NAMES: [&str; 6] = ["36", "32", "34", "35", "96", "94"];

/// Shows entries, each at once: data to stdout, and what people should know of it to stderr.
pub(super) fn show(entries: impl IntoIterator<Item = Entry>, is_json: bool, screen: &Screen) {
    let mut data = String::new();
    for entry in entries {
        match entry {
            entry if is_json => data += &entry.to_json(),
            Entry::Line(_, source, said) => data += &line(&source, &said, screen.stdout_colour()),
            Entry::Lost(source, lost) => {
                screen.print(&std::mem::take(&mut data));
                screen.say(&missing(&source, lost));
            }
        }
    }
    screen.print(&data);
}

/// Returns an entry as a line without colours.
pub(crate) fn plain(entry: &Entry) -> String {
    match entry {
        Entry::Line(_, source, said) => line(source, said, false),
        Entry::Lost(source, lost) => missing(source, *lost),
    }
}

fn line(source: &Source, said: &Said, is_coloured: bool) -> String {
    if !is_coloured {
        return Format::Human.line(None, source, said);
    }
    let title = source.title();
    let sum = title.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(byte));
    let name = NAMES[sum % NAMES.len()];
    let text = match said.priority {
        Priority::Emergency | Priority::Alert | Priority::Critical | Priority::Error => "31",
        Priority::Warning => "33",
        Priority::Notice | Priority::Info => {
            return format!("\x1b[{name}m{title} |\x1b[0m {}\n", said.shown());
        }
        Priority::Debug => "2",
    };
    format!("\x1b[{name}m{title} |\x1b[0m \x1b[{text}m{}\x1b[0m\n", said.shown())
}

fn missing(source: &Source, lost: Lost) -> String {
    let part = |lines: u64, what: &str| match lines {
        0 => String::new(),
        1 => format!("[{}: 1 line {what}]\n", source.title()),
        _ => format!("[{}: {lines} lines {what}]\n", source.title()),
    };
    part(lost.forgotten, "forgotten") + &part(lost.dropped, "dropped: printed too fast")
}

#[cfg(test)]
mod tests {
    use bailiwick_wire::crash::Moment;

    use super::*;

    fn said(priority: Priority) -> Said {
        Said { at: Moment::default(), generation: 1, priority, text: "hello".into(), event: None }
    }

    #[test]
    fn a_line_looks_as_the_supervisor_prints_it_and_colours_change_nothing_else() {
        let source = Source { worker: "web".into(), instance: 2, numbered: true };
        for priority in Priority::ALL {
            assert_eq!(line(&source, &said(priority), false), "web.2 | hello\n");
            let coloured = line(&source, &said(priority), true);
            let plain: Vec<_> =
                coloured.split('\x1b').map(|part| part.trim_start_matches(|at: char| at != 'm')).collect();
            assert_eq!(plain.concat().replace('m', ""), "web.2 | hello\n", "{coloured:?}");
        }
        assert!(line(&source, &said(Priority::Error), true).contains("\x1b[31mhello\x1b[0m"));
        assert!(line(&source, &said(Priority::Warning), true).contains("\x1b[33mhello\x1b[0m"));
        assert_eq!(line(&Source::supervisor(), &said(Priority::Info), false), "bailiwick | hello\n");
    }

    #[test]
    fn what_is_missing_is_counted_by_its_reason() {
        let source = Source { worker: "web".into(), instance: 1, numbered: false };
        let told = missing(&source, Lost { dropped: 1, forgotten: 20 });
        assert_eq!(told, "[web: 20 lines forgotten]\n[web: 1 line dropped: printed too fast]\n");
        assert_eq!(missing(&source, Lost { dropped: 0, forgotten: 1 }), "[web: 1 line forgotten]\n");
    }
}
