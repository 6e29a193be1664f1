//! `version`: which build this is, and what it speaks.

use std::path::Path;

use bailiwick_wire::handshake::WIRE_VERSION;
use bailiwick_wire::operator::{RECORD_LAYOUT, REQUEST_VERSION};
use bailiwick_wire::state_record::STATE_LAYOUT;
use bailiwick_wire::{crash, log};
use serde::Serialize;

use crate::arguments::Version;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;
use crate::symbols::build_id;

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    version: &'static str,
    /// What the linker numbered this executable by; null if it did not.
    build_id: Option<String>,
    /// The platform, as compilers name it.
    target: &'static str,
    /// The kind of build: `release` or `debug`.
    profile: &'static str,
    /// Null if it did not say.
    compiler: Option<&'static str>,
    /// What was asked for beyond the ordinary when it was built.
    features: Vec<&'static str>,
    protocols: Protocols,
}

/// The versions of what is written and read. Two builds with the same ones understand each other.
#[derive(Serialize)]
struct Protocols {
    /// The frames between workers.
    link: u16,
    /// What is asked on the control socket.
    control_request: u8,
    /// What is answered there.
    control_record: u8,
    /// Lines that workers printed, as the control socket gives them.
    log_lines: u8,
    /// Reports of ends and denials.
    crash_report: u8,
    /// What the supervisor notes in its state directory.
    state_record: u16,
}

pub(crate) fn version(asked: &Version, screen: &Screen) -> Result<Exit, Failure> {
    let told = document();
    screen.print(&if asked.json { json::document(&told) } else { words(&told) });
    Ok(Exit::Done)
}

fn document() -> Document {
    let own = build_id(Path::new("/proc/self/exe")).ok();
    Document {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        build_id: own.filter(|id| !id.is_empty()),
        target: env!("BAILIWICK_TARGET"),
        profile: env!("BAILIWICK_PROFILE"),
        compiler: Some(env!("BAILIWICK_COMPILER")).filter(|name| !name.is_empty()),
        features: env!("BAILIWICK_FEATURES").split(',').filter(|name| !name.is_empty()).collect(),
        protocols: Protocols {
            link: WIRE_VERSION,
            control_request: REQUEST_VERSION,
            control_record: RECORD_LAYOUT,
            log_lines: log::LAYOUT,
            crash_report: crash::LAYOUT,
            state_record: STATE_LAYOUT,
        },
    }
}

fn words(told: &Document) -> String {
    let Protocols { link, control_request, control_record, log_lines, crash_report, state_record } =
        told.protocols;
    let mut text = format!("bailiwick {}\n", told.version);
    let features = if told.features.is_empty() { "none".to_owned() } else { told.features.join(", ") };
    let mut say = |label: &str, value: &str| text += &format!("  {label:<10} {value}\n");
    say("build id", told.build_id.as_deref().unwrap_or("none"));
    say("target", told.target);
    say("profile", told.profile);
    say("compiler", told.compiler.unwrap_or("not known"));
    say("features", &features);
    let protocols = format!(
        "link {link}, control request {control_request}, control record {control_record}, log lines {log_lines}, crash report \
         {crash_report}, state record {state_record}"
    );
    say("protocols", &protocols);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Document {
        Document {
            schema_version: 1,
            version: "1.2.3",
            build_id: Some("00ff".into()),
            target: "x86_64-unknown-linux-gnu",
            profile: "release",
            compiler: None,
            features: vec!["a", "b-c"],
            protocols: Protocols {
                link: 4,
                control_request: 1,
                control_record: 13,
                log_lines: 2,
                crash_report: 5,
                state_record: 3,
            },
        }
    }

    #[test]
    fn a_build_is_told_to_people_and_to_programs() {
        let expected = "\
bailiwick 1.2.3
  build id   00ff
  target     x86_64-unknown-linux-gnu
  profile    release
  compiler   not known
  features   a, b-c
  protocols  link 4, control request 1, control record 13, log lines 2, crash report 5, state record 3
";
        assert_eq!(words(&sample()), expected);
        let expected = serde_json::json!({
            "schema_version": 1,
            "version": "1.2.3",
            "build_id": "00ff",
            "target": "x86_64-unknown-linux-gnu",
            "profile": "release",
            "compiler": null,
            "features": ["a", "b-c"],
            "protocols": {
                "link": 4, "control_request": 1, "control_record": 13, "log_lines": 2, "crash_report": 5, "state_record": 3,
            },
        });
        assert_eq!(serde_json::to_value(sample()).unwrap(), expected);
    }

    #[test]
    fn this_build_knows_itself() {
        let own = document();
        assert!(own.target.contains("linux") && own.version.split('.').count() == 3, "{}", words(&own));
        assert_eq!(own.profile, if cfg!(debug_assertions) { "debug" } else { "release" });
        let found = build_id(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(own.build_id.unwrap_or_default(), found);
    }
}
