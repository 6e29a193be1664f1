//! The project's own source as data: which files there are, which lines of them are code, how long functions are.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One Rust file of the workspace.
pub struct SourceFile {
    /// The path below the workspace's folder, with `/` between components.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A function's name, the line it starts on and the number of lines it spans.
pub struct Function {
    /// The name without its path.
    pub name: String,
    /// The first line, from 1.
    pub line: usize,
    /// Lines from the signature to the closing brace.
    pub lines: usize,
    /// Parameters, a receiver included.
    pub arguments: usize,
    /// Whether it stands in code that only tests compile.
    pub in_test: bool,
}

/// Returns the workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' package lies in the workspace").into()
}

/// Returns every Rust file of the workspace, in the order of paths.
pub fn rust_files() -> Vec<SourceFile> {
    let root = workspace();
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() {
            if !hidden && name != "target" && name != "corpus" {
                collect(root, &path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let below = path.strip_prefix(root).expect("the walk started at the root");
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push(SourceFile { path: below.to_string_lossy().into_owned(), text });
        }
    }
}

impl SourceFile {
    /// Whether the file is itself a test, an example of a compile error, or a benchmark.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Returns the lines that are code: no blanks, no comments, nothing below `#[cfg(test)]`.
    pub fn code_lines(&self) -> usize {
        let tests_start = self.text.find("\n#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        self.text[..tests_start]
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count()
    }

    /// Returns every function of the file.
    ///
    /// # Panics
    /// When the file does not parse, which the compiler would have said first.
    pub fn functions(&self) -> Vec<Function> {
        let file = syn::parse_file(&self.text).unwrap_or_else(|e| panic!("{}: {e}", self.path));
        let mut walk = Walk { functions: Vec::new(), in_test: self.is_test() };
        walk.visit_file(&file);
        walk.functions
    }
}

struct Walk {
    functions: Vec<Function>,
    in_test: bool,
}

impl Walk {
    fn note(&mut self, signature: &syn::Signature, whole: proc_macro2::Span) {
        let (start, end) = (signature.span().start().line, whole.end().line);
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line: start,
            lines: end + 1 - start,
            arguments: signature.inputs.len(),
            in_test: self.in_test,
        });
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.sig, item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.sig, item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let before = self.in_test;
        self.in_test |= item.attrs.iter().any(is_cfg_test);
        visit::visit_item_mod(self, item);
        self.in_test = before;
    }
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}
