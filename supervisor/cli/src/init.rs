//! `init`: the skeleton of a project, which builds, runs and can be deployed as it is.

mod failure;
mod name;
mod writing;

use std::path::{Path, PathBuf};
use std::{env, fs};

use bailiwick_supervisor::check::escape;
use serde::Serialize;

use crate::arguments::Init;
use crate::exit::{Exit, Failure};
use crate::json::{self, SCHEMA_VERSION};
use crate::screen::Screen;

pub use failure::NoProject;

/// Every file: where it lies, and what stands in it. What stands in two braces is filled in, also in paths.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("init/skeleton/cargo.toml.txt")),
    ("src/main.rs", include_str!("init/skeleton/main.rs")),
    ("src/binder.rs", include_str!("init/skeleton/binder.rs")),
    ("src/front.rs", include_str!("init/skeleton/front.rs")),
    ("src/sandbox.rs", include_str!("init/skeleton/sandbox.rs")),
    ("bailiwick.toml", include_str!("init/skeleton/bailiwick.toml")),
    ("{{name}}.service", include_str!("init/skeleton/unit.service")),
    ("Dockerfile", include_str!("init/skeleton/Dockerfile")),
    (".dockerignore", "/target\n"),
    (".gitignore", "/target\n"),
    ("README.md", include_str!("init/skeleton/readme.md.txt")),
];

/// What was written, and what to run next.
#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    name: String,
    /// The folder, as it was named.
    folder: String,
    /// The clone of Bailiwick whose runtime it depends on.
    clone: String,
    /// In the folder.
    files: Vec<String>,
    next: Vec<String>,
}

/// Writes the skeleton, into a folder that is empty or not there.
pub(crate) fn init(asked: &Init, screen: &Screen) -> Result<Exit, Failure> {
    let name = named(asked)?;
    let clone = match &asked.path {
        Some(path) => clone_at(path)?,
        None => own_clone()?,
    };
    let in_the_way =
        entries(&asked.folder).map_err(|error| Failure::File { path: asked.folder.clone(), error })?;
    if !in_the_way.is_empty() {
        return Err(NoProject::NotEmpty { folder: asked.folder.clone(), entries: in_the_way }.into());
    }
    let files: Vec<_> =
        FILES.iter().map(|(path, text)| (filled(path, &name, &clone), filled(text, &name, &clone))).collect();
    writing::write_all(&asked.folder, &files).map_err(NoProject::from)?;
    let told = Document {
        schema_version: SCHEMA_VERSION,
        name,
        folder: asked.folder.to_string_lossy().into_owned(),
        clone,
        files: files.into_iter().map(|(path, _)| path).collect(),
        next: next(&asked.folder, &program()),
    };
    screen.print(&if asked.json { json::document(&told) } else { words(&told) });
    Ok(Exit::Done)
}

/// Returns what the project is called: as it is said, else as its folder.
fn named(asked: &Init) -> Result<String, NoProject> {
    let of_folder = || {
        let folder = fs::canonicalize(&asked.folder).or_else(|_| std::path::absolute(&asked.folder)).ok()?;
        Some(folder.file_name()?.to_string_lossy().into_owned())
    };
    let name = asked.name.clone().or_else(of_folder).unwrap_or_default();
    match name::flaw(&name) {
        Some(flaw) => Err(NoProject::Name { instead: name::instead(&name), name: escape(&name), flaw }),
        None => Ok(name),
    }
}

/// Returns the clone of Bailiwick at a path, as text from the root on.
fn clone_at(path: &Path) -> Result<String, NoProject> {
    let found = fs::canonicalize(path).ok().filter(|path| is_clone(path));
    let text = found.and_then(|found| found.into_os_string().into_string().ok());
    // A line that ends within a path would be two in what is written.
    let text = text.filter(|text| !text.contains(char::is_control));
    text.ok_or_else(|| NoProject::NoClone { path: path.to_owned() })
}

/// Returns the clone in which this command was built, and still lies.
fn own_clone() -> Result<String, NoProject> {
    let own = env::current_exe().unwrap_or_default();
    let clone = own.ancestors().find(|folder| is_clone(folder));
    clone.and_then(|clone| clone_at(clone).ok()).ok_or(NoProject::NoRuntime)
}

fn is_clone(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("runtime/Cargo.toml")).unwrap_or_default();
    text.lines().any(|line| line == "name = \"bailiwick\"")
}

/// Returns what a folder has, sorted; one that is not there has nothing.
fn entries(folder: &Path) -> std::io::Result<Vec<String>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Returns a template with its gaps filled.
fn filled(template: &str, name: &str, clone: &str) -> String {
    // A text of JSON is one of TOML as well.
    let runtime = serde_json::to_string(&format!("{clone}/runtime")).expect("text serialises");
    template
        .replace("{{name}}", name)
        .replace("{{runtime}}", &runtime)
        .replace("{{context}}", &shell_word(&format!("clone={clone}")))
        .replace("{{containerfile}}", &shell_word(&format!("{clone}/packaging/container/Containerfile")))
        .replace("{{clone_word}}", &shell_word(clone))
        .replace("{{clone}}", clone)
}

/// Returns how this command was called, so that it can be called so from another folder.
fn program() -> String {
    let own = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    // Without a slash it was found in PATH.
    let is_path = own.components().count() > 1;
    let own = if is_path { std::path::absolute(&own).unwrap_or(own) } else { PathBuf::from("bailiwick") };
    shell_word(&own.to_string_lossy())
}

fn next(folder: &Path, program: &str) -> Vec<String> {
    let go = (folder != Path::new(".")).then(|| format!("cd {}", shell_word(&folder.to_string_lossy())));
    let rest = [
        "cargo build --release".to_owned(),
        format!("{program} check bailiwick.toml"),
        format!("{program} run bailiwick.toml"),
        "curl http://127.0.0.1:8080/sandbox".to_owned(),
        format!("{program} stop --all"),
    ];
    go.into_iter().chain(rest).collect()
}

/// Returns a text as a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // What begins with a dash is no option of `cd` behind a folder.
    let here = if text.starts_with('-') { "./" } else { "" };
    format!("'{here}{}'", text.replace('\'', r"'\''"))
}

fn words(told: &Document) -> String {
    let mut text = String::new();
    for file in &told.files {
        text += &format!("wrote {}\n", escape(&Path::new(&told.folder).join(file).to_string_lossy()));
    }
    text += &format!("it depends on the runtime in {}\n\nnext:\n", escape(&told.clone));
    for command in &told.next {
        let remark =
            if command.ends_with("run bailiwick.toml") { "   # then in another terminal:" } else { "" };
        text += &format!("  {}{remark}\n", escape(command));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(folder: &Path, name: Option<&str>) -> Init {
        Init { folder: folder.to_owned(), name: name.map(str::to_owned), path: None, json: false }
    }

    #[test]
    fn a_project_is_called_as_its_folder_unless_it_is_said() {
        let called =
            |folder: &str, name| named(&asked(Path::new(folder), name)).map_err(|error| error.to_string());
        assert_eq!(called("/srv/shop", None), Ok("shop".into()));
        assert_eq!(called("/srv/my.shop", Some("shop")), Ok("shop".into()));
        for folder in ["/srv/my.shop", "/", "/srv/2shop", "/srv/deps"] {
            assert!(called(folder, None).is_err(), "{folder}");
        }
    }

    #[test]
    fn nothing_of_the_templates_is_left_to_be_filled_in() {
        for (path, text) in FILES {
            let text = filled(path, "shop", "/a \"b\"") + &filled(text, "shop", "/a \"b\"");
            assert!(!text.contains("{{") && !text.contains("}}"), "{path}: {text}");
        }
        let cargo = filled(FILES[0].1, "shop", "/a \"b\"");
        assert!(cargo.contains(r#"bailiwick = { path = "/a \"b\"/runtime" }"#), "{cargo}");
    }

    #[test]
    fn what_is_to_be_typed_next_can_be_typed_as_it_is() {
        for (text, word) in [
            ("shop", "shop"),
            ("../my-shop_2/a.b", "../my-shop_2/a.b"),
            ("my shop", "'my shop'"),
            ("it's", r"'it'\''s'"),
            ("-shop", "'./-shop'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
        assert_eq!(next(Path::new("."), "bailiwick")[0], "cargo build --release");
        assert_eq!(next(Path::new("my shop"), "bailiwick")[0], "cd 'my shop'");
    }
}
