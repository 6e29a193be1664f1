//! `metrics`: what the admin worker measures, as Prometheus reads it, or as a document.

mod exposition;

use bailiwick_supervisor::check::escape;
use serde::Serialize;

use crate::admin::Admin;
use crate::arguments::Metrics;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
pub(crate) use exposition::{Family, read};

/// Where they are; who does not ask for OpenMetrics gets what Prometheus had before.
pub(crate) const PATH: &str = "/metrics";

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    time: String,
    metrics: Vec<Family<'a>>,
}

pub(crate) fn metrics(asked: &Metrics, screen: &Screen) -> Result<Exit, Failure> {
    let text = Admin::find(&asked.place)?.get(PATH)?.done()?;
    let wanted = asked.name.as_deref().unwrap_or_default();
    screen.print(&if asked.json { document(&text, wanted)? } else { lines(&text, wanted)? });
    Ok(Exit::Done)
}

/// Returns the metrics whose names hold `wanted`, as they were served but for what a terminal would obey.
fn lines(text: &str, wanted: &str) -> Result<String, Failure> {
    let families = chosen(text, wanted)?;
    let lines = families.iter().flat_map(|family| &family.lines);
    Ok(lines.map(|line| escape(line) + "\n").collect())
}

fn document(text: &str, wanted: &str) -> Result<String, Failure> {
    let metrics = chosen(text, wanted)?;
    let time = json::time(json::now());
    Ok(json::document(&Document { schema_version: SCHEMA_VERSION, time, metrics }))
}

fn chosen<'a>(text: &'a str, wanted: &str) -> Result<Vec<Family<'a>>, Failure> {
    let mut families = read(text);
    families.retain(|family| family.name.contains(wanted));
    if families.is_empty() && !wanted.is_empty() {
        return Err(Failure::NoMetric { name: escape(wanted) });
    }
    Ok(families)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP bailiwick_worker_ready 1 while a worker is ready.
# TYPE bailiwick_worker_ready gauge
bailiwick_worker_ready{worker=\"web\",instance=\"1\"} 1
bailiwick_worker_ready{worker=\"web\",instance=\"2\"} 0
# HELP bailiwick_worker_exits_total Ends of lives.
# TYPE bailiwick_worker_exits_total counter
bailiwick_worker_exits_total{worker=\"web\",cause=\"oom\"} 3
";

    #[test]
    fn the_text_is_what_was_served_and_a_name_chooses_of_it() {
        assert_eq!(lines(TEXT, "").expect("there are some"), TEXT);
        let exits = &TEXT[TEXT.find("# HELP bailiwick_worker_exits").expect("it is there")..];
        assert_eq!(lines(TEXT, "exits").expect("there is one"), exits);
        let hostile = "bailiwick_x{a=\"\u{1b}[2J\"} 1\n";
        assert_eq!(lines(hostile, "").expect("there is one"), "bailiwick_x{a=\"\\u{1b}[2J\"} 1\n");
    }

    #[test]
    fn the_document_has_names_labels_and_values() {
        let text = document(TEXT, "exits").expect("there is one");
        let mut told: serde_json::Value = serde_json::from_str(&text).expect("it is a document");
        assert!(told["time"].take().is_string());
        let expected = serde_json::json!({
            "schema_version": 1,
            "time": null,
            "metrics": [{
                "name": "bailiwick_worker_exits_total",
                "type": "counter",
                "help": "Ends of lives.",
                "samples": [{
                    "name": "bailiwick_worker_exits_total",
                    "labels": { "worker": "web", "cause": "oom" },
                    "value": 3.0,
                }],
            }],
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn a_name_that_no_metric_has_is_said_to_be_none() {
        let failure = lines(TEXT, "exit\u{1b}").expect_err("there is none");
        assert_eq!(failure.to_string(), "no metric's name holds `exit\\u{1b}`");
        assert_eq!((failure.exit(), failure.advice().is_some()), (Exit::UnknownName, true));
        assert_eq!(lines("", "").expect("nothing is measured"), "");
    }
}
