//! Every limit of the manifest: at the limit it is read, one more is refused with the limit in the message.

use std::fmt::Write;
use std::path::Path;

use bailiwick_supervisor::check::Severity;
use bailiwick_supervisor::manifest::parse;

/// Returns the errors of a manifest's text.
fn errors(text: String) -> Vec<String> {
    let (_, text, found) = parse(Path::new("m.toml"), Path::new("/"), text);
    let found = text.diagnostics(found);
    found.iter().filter(|one| one.severity == Severity::Error).map(|one| one.title.clone()).collect()
}

fn assert_limit(what: &str, most: usize, text: impl Fn(usize) -> String) {
    assert_eq!(errors(text(most)), [""; 0], "{what} at the limit");
    let refused = errors(text(most + 1));
    assert!(
        refused.len() == 1 && refused[0].contains(&most.to_string()),
        "{what} above the limit: {refused:?}"
    );
}

/// Returns a table for each number below `count`.
fn tables(count: usize, table: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", table(number));
        text
    })
}

const WORKER: &str = "[worker.w]\nexec = \"x\"\n";

#[test]
fn workers_groups_and_actors_are_counted() {
    assert_limit("workers", 256, |count| tables(count, |n| format!("[worker.w{n}]\nexec = \"x\"")));
    assert_limit("groups", 256, |count| WORKER.to_owned() + &tables(count, |n| format!("[group.g{n}]")));
    assert_limit("actors", 64, |count| {
        WORKER.to_owned() + &tables(count, |n| format!("[worker.w.actor.a{n}]\ntype = \"T\""))
    });
}

#[test]
fn grants_are_counted() {
    let workers = tables(17, |n| format!("[worker.w{n}]\nexec = \"x\""));
    let actors = tables(64, |n| format!("[worker.t.actor.a{n}]\ntype = \"T\""));
    assert_limit("grants", 1024, |count| {
        let grants = tables(count, |n| format!("[[grant]]\nfrom = \"w{}\"\nto = \"t/a{}\"", n / 64, n % 64));
        format!("{workers}[worker.t]\nexec = \"x\"\n{actors}{grants}")
    });
}

#[test]
fn lists_texts_and_arguments_are_measured() {
    assert_limit("a list", 1024, |count| {
        let list: Vec<String> = (0..count).map(|n| (1 + n % 65_000).to_string()).collect();
        format!("{WORKER}sandbox.tcp_bind = [{}]\n", list.join(", "))
    });
    assert_limit("a text", 32 << 10, |count| {
        format!("{WORKER}environment = {{ A = \"{}\" }}\n", "a".repeat(count))
    });
    assert_limit("arguments", 16 << 10, |count| {
        format!("{WORKER}[worker.w.actor.a]\ntype = \"T\"\nargs = \"{}\"\n", "a".repeat(count - 2))
    });
}

#[test]
fn numbers_have_a_least_and_a_most() {
    for (key, least, most) in [
        ("instances", 1_i64, 1024),
        ("sandbox.nice", -20, 19),
        ("sandbox.oom_score_adjust", -1000, 1000),
        ("sandbox.tasks_max", 1, 4 << 20),
        ("sandbox.limit_nofile", 16, 1 << 20),
        ("sandbox.memory_max", 1 << 20, 1 << 50),
        ("sandbox.memory_high", 1 << 12, 1 << 50),
        ("sandbox.cpu_weight", 1, 10_000),
        ("sandbox.io_weight", 1, 10_000),
        ("sandbox.limit_sigpending", 0, 1 << 20),
        ("backoff.factor", 1, 100),
        ("backoff.jitter", 0, 1),
    ] {
        let with = |value: i64| errors(format!("{WORKER}{key} = {value}\n"));
        assert_eq!((with(least), with(most)), (vec![], vec![]), "{key}");
        assert_eq!((with(least - 1).len(), with(most + 1).len()), (1, 1), "{key}");
    }
}

#[test]
fn a_limit_of_bytes_has_a_least_and_may_be_infinite() {
    for (key, least) in [("limit_fsize", 0_i64), ("limit_as", 16 << 20), ("limit_stack", 128 << 10)] {
        let with = |value: &str| errors(format!("{WORKER}sandbox.{key} = {value}\n"));
        assert_eq!(with(&least.to_string()), [""; 0], "{key}");
        assert_eq!(with("\"infinity\""), [""; 0], "{key}");
        assert_eq!(with(&(least - 1).to_string()).len(), 1, "{key}");
    }
}

#[test]
fn a_quota_is_a_share_of_one_processor() {
    let with = |value: &str| errors(format!("{WORKER}sandbox.cpu_quota = {value}\n")).len();
    assert_eq!(["\"1%\"", "\"250%\"", "\"100000%\""].map(with), [0; 3]);
    assert_eq!(["\"0%\"", "\"100001%\"", "50", "\"50\"", "\"1.5%\"", "\"-1%\"", "\"%\""].map(with), [1; 7]);
}

#[test]
fn a_mask_is_written_in_octal_digits_and_quotes() {
    let with = |value: &str| errors(format!("{WORKER}sandbox.umask = {value}\n")).len();
    assert_eq!(["\"0077\"", "\"022\"", "\"0777\"", "\"000\""].map(with), [0; 4]);
    assert_eq!(["77", "\"77\"", "\"0787\"", "\"1777\"", "\"-077\"", "\"+077\"", "\"\""].map(with), [1; 7]);
}

#[test]
fn a_time_has_a_most() {
    let with = |value: &str| errors(format!("{WORKER}start_timeout = \"{value}\"\n"));
    assert_eq!(with("366d"), [""; 0]);
    assert_eq!((with("367d").len(), with("0s").len(), with("1ms").len()), (1, 1, 0));
}

#[test]
fn nesting_is_bounded_and_ends_in_an_error() {
    let deep = |count: usize| format!("{WORKER}kept = {}{}\n", "[".repeat(count), "]".repeat(count));
    for count in [2, 79, 80, 81, 10_000, 200_000] {
        assert!(!errors(deep(count)).is_empty(), "{count}");
    }
}
