//! What is told of a manifest without starting anything: grants, blast radius, what each worker may do.

mod support;

use std::path::PathBuf;

use serde_json::{Value, json};
use support::{bailiwick, folder, run, write};

/// A shop: strangers speak to `web`, which has a folder, and asks `keys`, which holds a capability.
const SHOP: &str = r#"
[worker.web]
exec = "shop"
[worker.web.sandbox]
preset = "net-client"
tcp_connect = [443]
read_only_paths = ["."]
[worker.web.actor.front]
type = "Web"

[worker.keys]
exec = "shop"
privileged = true
instances = 2
[worker.keys.actor.keys]
type = "Keys"

[[grant]]
from = "web"
to = "keys/keys"
methods = ["sign", "verify"]
max_inflight = 4
fds = { send = [], receive = ["file"] }

[[grant]]
from = "keys"
to = "web"
"#;

fn shop() -> (tempfile::TempDir, PathBuf) {
    let (keep, folder) = folder();
    write(&folder.join("shop.toml"), SHOP);
    (keep, folder)
}

#[test]
fn grants_are_told_with_their_terms_and_the_boundaries_that_they_cross() {
    let (_keep, folder) = shop();
    let (code, data, messages) = run(bailiwick(&folder).args(["grants", "shop.toml"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    for line in [
        "shop: 2 workers, 3 processes, 2 grants",
        "\nweb\n",
        "keys  PRIVILEGED\n",
        "calls   keys/keys: sign, verify; sends no descriptor; gets back file; at most 4 asks open  << into privilege",
        "calls   web: every method  >> out of privilege",
        "called  by keys\n",
    ] {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
    let (_, data, _) = run(bailiwick(&folder).args(["grants", "shop.toml", "--json"]));
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["grants"][0]["methods"], json!(["sign", "verify"]));
    assert_eq!(document["grants"][0]["crosses"], "into_privilege");
    assert_eq!(document["grants"][1]["methods"], Value::Null);
    assert_eq!(document["workers"][1]["holds_privilege"], true);
    let (_, data, _) = run(bailiwick(&folder).args(["grants", "good.toml"]));
    assert!(data.contains("calls   nobody\n  called  by nobody\n"), "{data}");
}

#[test]
fn grants_are_drawn_with_who_holds_a_privilege_in_a_box_of_its_own() {
    let (_keep, folder) = shop();
    let (code, data, messages) = run(bailiwick(&folder).args(["grants", "shop.toml", "--dot"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    let (_, inside) = data.split_once("subgraph cluster_privileged {").expect("somebody is privileged");
    let (inside, outside) = inside.split_once("\n  }\n").expect("the box ends");
    assert!(
        inside.contains("\"keys\" [label=\"keys ×2\\nsealed\"]") && !inside.contains("\"web\""),
        "{data}"
    );
    assert!(outside.contains("\"web\" [label=\"web\\nnet-client\\nmay read .\\n"), "{data}");
    let edge = "\"web\" -> \"keys\" [label=\"/keys: sign, verify\\nsends no descriptor\\ngets back file\\nat most 4 asks open\", color=firebrick";
    assert!(outside.contains(edge), "{data}");
    assert_eq!(run(bailiwick(&folder).args(["grants", "shop.toml", "--dot", "--json"])).0, 2);
}

#[test]
fn a_blast_radius_is_kept_in_a_file_and_compared_with_what_holds() {
    let (_keep, folder) = shop();
    let compare = |more: &[&str]| {
        run(bailiwick(&folder).args(["blast", "shop.toml", "--compare", "blast.txt"]).args(more))
    };
    let (code, _, messages) = compare(&[]);
    assert_eq!(code, 1);
    assert!(messages.contains("blast.txt: No such file"), "{messages}");
    let written = run(bailiwick(&folder).args(["blast", "shop.toml", "--write", "blast.txt"]));
    assert_eq!(written, (0, String::new(), String::new()));
    let text = std::fs::read_to_string(folder.join("blast.txt")).expect("it was written");
    assert!(text.starts_with("# bailiwick blast, version 2\n"), "{text}");
    assert!(
        text.contains("\nkeys: is privileged\n") && text.contains("\nweb: may connect to TCP 443\n"),
        "{text}"
    );
    assert_eq!(compare(&[]), (0, String::new(), String::new()));
    let widened = SHOP.replace("[443]", "[80]").replace("max_inflight = 4\n", "");
    write(&folder.join("shop.toml"), &widened);
    let (code, data, messages) = compare(&[]);
    assert_eq!((code, messages.as_str()), (1, ""));
    let calls = "web: may call keys/keys: sign, verify; sends no descriptor; gets back file";
    let wanted = [
        &*format!("+ {calls}"),
        "+ web: may connect to TCP 80",
        &format!("- {calls}; at most 4 asks open"),
        "- web: may connect to TCP 443",
    ];
    assert_eq!(data.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(compare(&["keys"]), (0, String::new(), String::new()), "of it nothing has changed");
    let (code, data, _) = compare(&["--json"]);
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((code, &document["schema_version"]), (1, &1.into()));
    assert_eq!(document["lost"].as_array().map(Vec::len), Some(2), "{data}");
    write(&folder.join("blast.txt"), "{}");
    let (code, data, messages) = compare(&[]);
    assert_eq!((code, data.as_str()), (1, ""));
    assert!(messages.contains("is no file of `blast --write`"), "{messages}");
}

#[test]
fn changes_are_coloured_only_where_that_is_wanted() {
    let (_keep, folder) = shop();
    run(bailiwick(&folder).args(["blast", "shop.toml", "--write", "blast.txt"]));
    write(&folder.join("shop.toml"), &SHOP.replace("[443]", "[80]"));
    let compare = ["blast", "shop.toml", "--compare", "blast.txt"];
    let forced = run(bailiwick(&folder).args(compare).env("CLICOLOR_FORCE", "1")).1;
    assert!(forced.contains("\x1b[31m+ web: may connect to TCP 80\x1b[0m\n"), "{forced}");
    for name in ["NO_COLOR", "TERM"] {
        let plain = run(bailiwick(&folder).args(compare).env(name, "dumb")).1;
        assert!(!plain.contains('\x1b'), "{plain}");
    }
}

#[test]
fn a_worker_is_explained_from_its_identity_to_its_callers() {
    let (_keep, folder) = shop();
    let (code, data, messages) = run(bailiwick(&folder).args(["explain", "shop.toml", "web"]));
    assert_eq!((code, messages.as_str()), (0, ""));
    let own = folder.display();
    for line in [
        "web: preset net-client\n",
        &format!("executes     {own}/shop\n"),
        "no capabilities\n",
        "gains nothing from what it executes\n",
        &format!("read       {own}  (read_only_paths)\n"),
        "read       /etc/hosts  (preset net-client: names of hosts)\n",
        "binds no port\n",
        "connects to 443\n",
        "limit_nofile = 256, by default  (RLIMIT_NOFILE)\n",
        "killed: ",
        "every other call fails with EPERM\n",
        "environment  BAILIWICK_ROLE\n",
        "3: the line to the supervisor",
        "may call     keys/keys: sign, verify; sends no descriptor; gets back file; at most 4 asks open\n",
        "called by    keys: every method of every actor\n",
    ] {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
    let beyond = data.lines().find(|line| line.contains("beyond what every sealed worker has"));
    assert!(beyond.is_some_and(|line| line.ends_with(": mmap, socket, connect")), "{data}");
    assert!(!data.contains("keys: preset"), "{data}");
    let (code, _, messages) = run(bailiwick(&folder).args(["explain", "shop.toml", "wob"]));
    assert_eq!(code, 4);
    assert!(messages.contains("did you mean `web`?"), "{messages}");
}

#[test]
fn every_system_call_is_explained_with_its_reason() {
    let (_keep, folder) = shop();
    let (_, data, _) = run(bailiwick(&folder).args(["explain", "shop.toml", "web", "--system-calls"]));
    for line in [
        "connect: Landlock decides which TCP ports",
        "reboot: stops the machine",
        "clone3: hides its flags in memory, where no filter can look; clone does the same",
    ] {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
    let (_, data, _) = run(bailiwick(&folder).args(["explain", "shop.toml", "--json"]));
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!(document["schema_version"], 1);
    let [web, keys] = [&document["workers"][0], &document["workers"][1]];
    assert_eq!((&web["preset"], &web["tcp"]["connect"]), (&"net-client".into(), &json!([443])));
    let named = |worker: &Value, verdict: &str, name: &str| {
        let list = worker["system_calls"][verdict].as_array().expect("a list").clone();
        list.iter().any(|call| call["name"] == name)
    };
    assert!(named(web, "allowed", "connect") && !named(keys, "allowed", "connect"));
    assert!(
        named(keys, "killed", "reboot") && named(keys, "refused", "mount") && named(keys, "absent", "clone3")
    );
    assert_eq!(keys["called_by"][0]["worker"], "web");
    let limit = keys["limits"].as_array().expect("a list").iter().find(|limit| limit["key"] == "tasks_max");
    assert_eq!(limit.expect("it has one")["value"], 64);
}

#[test]
fn a_score_is_lowered_by_what_it_says_and_held_against_a_threshold() {
    let (_keep, folder) = shop();
    let score = |more: &[&str]| run(bailiwick(&folder).args(["score", "shop.toml"]).args(more));
    let (code, data, messages) = score(&[]);
    assert_eq!((code, messages.as_str(), data.lines().count()), (0, "", 2), "{data}");
    let (_, document, _) = score(&["--json"]);
    let document: Value = serde_json::from_str(&document).expect("it is one document");
    assert_eq!((&document["schema_version"], &document["threshold"]), (&1.into(), &Value::Null));
    let of = |document: &Value, at: usize| document["workers"][at]["score"].as_f64().expect("a number");
    let (web, keys) = (of(&document, 0), of(&document, 1));
    assert!(web > 0.0 && keys > 0.0 && web < 10.0, "{data}");
    let (code, data, _) = score(&["web"]);
    assert_eq!(code, 0);
    for line in
        [" network   ", "tighten: name fewer ports in `tcp_connect`", "tighten: memory_max = \"256M\""]
    {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
    write(&folder.join("shop.toml"), &SHOP.replace("tcp_connect = [443]", "memory_max = \"64M\""));
    let tightened: Value = serde_json::from_str(&score(&["--json"]).1).expect("it is one document");
    assert!(of(&tightened, 0) < web, "{} and {web}", of(&tightened, 0));
    let (code, _, messages) = score(&["--threshold", "0.1"]);
    assert_eq!((code, messages.as_str()), (1, "over 0.1: web, keys\n"));
    assert_eq!(score(&["--threshold", "10"]).0, 0);
    assert_eq!(score(&["--threshold", "11"]).0, 2);
}

#[test]
fn a_root_a_proc_that_tells_more_and_many_descriptors_are_exposures() {
    let (_keep, folder) = shop();
    let score = |sandbox: &str| {
        let text = format!(
            "[worker.web]\nexec = \"shop\"\nactor.front = {{ type = \"Web\" }}\n[worker.web.sandbox]\n{sandbox}\n"
        );
        write(&folder.join("one.toml"), &text);
        let (code, data, messages) = run(bailiwick(&folder).args(["score", "one.toml", "--json"]));
        assert_eq!(code, 0, "{messages}");
        let document: Value = serde_json::from_str(&data).expect("it is one document");
        let exposures = document["workers"][0]["exposures"].as_array().expect("a list").clone();
        move |name: &str| {
            let row = exposures.iter().find(|row| row["exposure"] == name).expect("it is there");
            row["badness"].as_u64().expect("a number")
        }
    };
    std::fs::create_dir(folder.join("root")).expect("it is ours");
    let plain = score("preset = \"exec\"");
    let rooted = score("preset = \"exec\"\nroot_directory = \"root\"");
    assert_eq!([plain("root of files"), rooted("root of files")], [0, 3]);
    let [some, all] = ["protect_proc = \"noaccess\"", "proc_subset = \"all\""]
        .map(|key| score(&format!("preset = \"exec\"\n{key}")));
    assert_eq!([plain("processes"), some("processes"), all("processes")], [1, 3, 6]);
    let [few, many] = ["300", "1025"].map(|most| score(&format!("limit_nofile = {most}")));
    assert_eq!([plain("descriptors"), few("descriptors"), many("descriptors")], [0, 2, 6]);
}

#[test]
fn a_capability_that_a_user_namespace_makes_void_is_told() {
    let (_keep, folder) = shop();
    let text = "[worker.web]\nexec = \"shop\"\nactor.front = { type = \"Web\" }\n\
                sandbox.capabilities = [\"CAP_NET_BIND_SERVICE\"]\n";
    write(&folder.join("one.toml"), text);
    let own = bailiwick(&folder).get_program().to_owned();
    let told = |wrapper: &[&str]| {
        let mut command = std::process::Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(&own).args(["explain", "one.toml", "web"]).current_dir(&folder);
        run(&mut command)
    };
    let (_, outside, _) = told(&["env"]);
    let (code, inside, messages) = told(&["unshare", "--user", "--map-root-user"]);
    if code != 0 && messages.starts_with("unshare") {
        println!("SKIPPED: no user namespace can be had here: {messages}");
        return;
    }
    let void = "its capabilities are void against what belongs to the machine";
    assert!(inside.contains(void) && !outside.contains(void), "{outside}{inside}");
}

#[test]
fn what_runs_with_privilege_is_told_with_its_callers_and_its_code() {
    let (_keep, folder) = shop();
    let command = ["privileged", "shop.toml", "--do-not-run"];
    let (code, data, messages) = run(bailiwick(&folder).args(command));
    assert_eq!((code, messages.as_str()), (0, ""));
    let own = folder.display();
    for line in [
        "the supervisor, as ",
        "\nkeys\n  by         declared as privileged\n",
        "  actor      keys (Keys): its methods are not known\n",
        "  called by  web, which holds no privilege: sign, verify\n",
        &format!("  code       {own}/shop: how much is not known: "),
    ] {
        assert_eq!(data.matches(line).count(), 1, "{line} in {data}");
    }
    assert!(!data.contains("\nweb\n"), "{data}");
    let (_, data, _) = run(bailiwick(&folder).args(command).arg("--json"));
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((&document["schema_version"], &document["workers"][0]["worker"]), (&1.into(), &"keys".into()));
    assert_eq!(document["workers"][0]["actors"][0]["callers"][0]["methods"], json!(["sign", "verify"]));
    let (_, data, _) = run(bailiwick(&folder).args(["privileged", "good.toml", "--do-not-run"]));
    assert!(data.ends_with("\nno worker holds a privilege\n"), "{data}");
}
