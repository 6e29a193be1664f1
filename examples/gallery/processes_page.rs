//! The page that shows which process does what, with which rights.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::http::html::Text;
use crate::index_page::head;
use crate::process_tree::{Process, ProcessTree};

/// Writes the page.
pub(crate) fn render(tree: &ProcessTree) -> String {
    let mut page = String::new();
    write(&mut page, tree).expect("a String takes every write");
    page
}

fn write(page: &mut String, tree: &ProcessTree) -> fmt::Result {
    let up = tree.workers.iter().filter(|worker| worker.pid.is_some()).count();
    let subtitle = format!("{} processes", up + 1);
    head(page, "Processes · Gallery", &subtitle, "<a class=\"button\" href=\"/\">Pictures</a>")?;
    page.push_str(INTRODUCTION);
    page.push_str("<table class=\"processes\"><thead><tr>");
    for column in COLUMNS {
        write!(page, "<th scope=\"col\">{column}</th>")?;
    }
    page.push_str("</tr></thead><tbody data-live>\n");
    supervisor(page, tree)?;
    for worker in &tree.workers {
        row(page, worker)?;
    }
    page.push_str("</tbody></table>\n<p class=\"message\" hidden></p></main>\n");
    Ok(())
}

fn supervisor(page: &mut String, tree: &ProcessTree) -> fmt::Result {
    let privileges = if tree.uid == 0 { "all, to give them away" } else { "none" };
    write!(page, "<tr><th scope=\"row\">supervisor</th>")?;
    let cells = [
        number(tree.pid.into()),
        "<span class=\"state good\">running</span>".to_owned(),
        "–".to_owned(),
        "–".to_owned(),
        duration(tree.uptime_ms),
        user(tree.uid),
        privileges.to_owned(),
        "–".to_owned(),
        "–".to_owned(),
    ];
    finish(page, &cells)
}

fn row(page: &mut String, worker: &Process) -> fmt::Result {
    let name = Text(&worker.name);
    let state = Text(&worker.state);
    let class = match worker.state.as_str() {
        "ready" | "done" => "good",
        "failed" | "killing" | "backoff" => "bad",
        _ => "busy",
    };
    write!(page, "<tr><th scope=\"row\" class=\"child\">{name}</th>")?;
    let capabilities = match worker.capabilities.as_slice() {
        [] => "none".to_owned(),
        held => format!("<code>{}</code>", Text(&held.join(" "))),
    };
    let memory = match worker.memory_max {
        Some(limit) => format!("{} MiB <small>by {}</small>", limit >> 20, Text(&worker.memory_by)),
        None => "no limit".to_owned(),
    };
    let cells = [
        worker.pid.map_or_else(|| "–".to_owned(), |pid| number(pid.into())),
        format!("<span class=\"state {class}\">{state}</span>"),
        number(worker.generation.into()),
        number(worker.restarts.into()),
        worker.uptime_ms.map_or_else(|| "–".to_owned(), duration),
        user(worker.uid),
        capabilities,
        memory,
        Text(worker.last_end.as_deref().unwrap_or("–")).to_string(),
    ];
    finish(page, &cells)
}

fn finish(page: &mut String, cells: &[String]) -> fmt::Result {
    for (column, cell) in COLUMNS[1..].iter().zip(cells) {
        // One element, so that a narrow screen keeps what belongs together side by side.
        write!(page, "<td data-label=\"{column}\"><span>{cell}</span></td>")?;
    }
    page.push_str("</tr>\n");
    Ok(())
}

fn number(value: u64) -> String {
    format!("<span class=\"number\">{value}</span>")
}

fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("uid <span class=\"number\">{uid}</span>") }
}

fn duration(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

const COLUMNS: [&str; 10] = [
    "Worker",
    "Process",
    "State",
    "Life",
    "Restarts",
    "Up for",
    "User",
    "Capabilities",
    "Memory",
    "Last end",
];

const INTRODUCTION: &str = "<main id=\"content\"><h2>Who does what</h2>\n\
     <p>Kill any of the workers: the supervisor starts it again, and only the requests that it was \
     working on are lost. A shrinker ends with its picture, and a fresh one takes its place.</p>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_is_called_is_text() {
        let worker = Process { name: "<i>front".to_owned(), state: "ready".to_owned(), ..Process::default() };
        let tree = ProcessTree { workers: vec![worker], ..ProcessTree::default() };
        let page = render(&tree);
        assert!(page.contains("&lt;i&gt;front") && !page.contains("<i>"), "{page}");
    }

    #[test]
    fn times_are_said_in_their_two_largest_units() {
        let said = [999, 61_000, 7_260_000].map(duration);
        assert_eq!(said, ["0 s", "1 min 1 s", "2 h 1 min"]);
    }
}
