//! A table of the manifest while it is read: whatever is in it must be asked for, or it is an error.
//!
//! The keys that exist are the keys that were asked for: no list of them is kept beside the code that reads.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values::FromToml;
use super::vocabulary::{Fate, Table, fate, why_later};
use crate::check::{Diagnostic, Places, nearest, quote};

/// What reading gathers: what is wrong, and where everything stood.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    /// The folder against which paths resolve.
    pub(super) folder: &'t Path,
    pub(super) found: Vec<Diagnostic>,
    pub(super) places: Places,
}

/// One table while it is read.
pub(super) struct Fields<'r, 't> {
    pub(super) reader: &'r mut Reader<'t>,
    /// The key of the table, as `worker.web.sandbox`.
    pub(super) path: String,
    table: &'r DeTable<'t>,
    kind: Table,
    /// Where an error about a missing key points.
    head: Range<usize>,
    asked: Vec<&'static str>,
}

/// One entry of a table of tables, such as `[worker.web]`.
pub(super) struct Entry<'r, 't> {
    pub(super) name: &'r str,
    pub(super) head: Range<usize>,
    table: &'r DeTable<'t>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, folder: &'t Path) -> Self {
        Self { text, folder, found: Vec::new(), places: Places::default() }
    }

    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Says that a value is not what the key wants, with the correction where there is one.
    pub(super) fn mismatch(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
        help: Option<String>,
    ) {
        let title = format!("`{}` is {}", short(key), describe(value.get_ref()));
        let diagnostic = Diagnostic::error(title).at(value.span(), format!("expected {expected}"));
        self.refuse(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

impl<'r, 't> Fields<'r, 't> {
    pub(super) fn root(reader: &'r mut Reader<'t>, table: &'r DeTable<'t>) -> Self {
        Self { reader, path: String::new(), table, kind: Table::Manifest, head: 0..0, asked: Vec::new() }
    }

    /// Opens one entry of a table of tables.
    pub(super) fn entry(
        reader: &'r mut Reader<'t>,
        path: String,
        kind: Table,
        entry: &Entry<'r, 't>,
    ) -> Self {
        reader.places.insert(path.clone(), entry.head.clone());
        Self { reader, path, table: entry.table, kind, head: entry.head.clone(), asked: Vec::new() }
    }

    /// Returns the value of a key, which thereby is known, and remembers where it stands.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.table.get(key)?;
        let place = self.key(key);
        self.reader.places.insert(place, value.span());
        Some(value)
    }

    /// Returns the full name of a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Returns where a key of this table stands, the key and not its value.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Overwrites `target` if the key is there and its value is right.
    pub(super) fn set<T: FromToml>(&mut self, key: &'static str, target: &mut T) {
        if let Some(value) = self.read(key) {
            *target = value;
        }
    }

    /// Returns the value of a key if it is there and right.
    pub(super) fn read<T: FromToml>(&mut self, key: &'static str) -> Option<T> {
        let value = self.take(key)?;
        T::from_toml(value, &self.key(key), self.reader)
    }

    /// Overwrites `target` if the key is there and its value is right and within the limits.
    pub(super) fn set_within<T>(&mut self, key: &'static str, limits: RangeInclusive<T>, target: &mut T)
    where
        T: FromToml + PartialOrd + std::fmt::Display,
    {
        let Some(value) = self.read::<T>(key) else { return };
        if limits.contains(&value) {
            *target = value;
        } else if let Some(found) = self.take(key) {
            let expected = format!("{} to {}", limits.start(), limits.end());
            let name = self.key(key);
            self.reader.mismatch(&name, found, &expected, None);
        }
    }

    /// Overwrites `target` if the key is there and its value is a time above zero.
    pub(super) fn set_positive(&mut self, key: &'static str, target: &mut Duration) {
        let Some(time) = self.read::<Duration>(key) else { return };
        if !time.is_zero() {
            *target = time;
        } else if let Some(found) = self.take(key) {
            let name = self.key(key);
            self.reader.mismatch(&name, found, "a time above zero", None);
        }
    }

    /// Returns the value of a key that must be there.
    pub(super) fn require<T: FromToml>(&mut self, key: &'static str, help: &str) -> Option<T> {
        if self.table.contains_key(key) {
            return self.read(key);
        }
        self.asked.push(key);
        let title = format!("{} has no `{key}`", self.title());
        self.reader.refuse(Diagnostic::error(title).at(self.head.clone(), "it must be given").help(help));
        None
    }

    /// Opens a table inside this one.
    pub(super) fn table(&mut self, key: &'static str, kind: Table) -> Option<Fields<'_, 't>> {
        let value = self.take(key)?;
        let name = self.key(key);
        match value.get_ref() {
            DeValue::Table(table) => {
                let head = self.key_span(key).unwrap_or(value.span());
                self.reader.places.insert(name.clone(), head.clone());
                Some(Fields { reader: self.reader, path: name, table, kind, head, asked: Vec::new() })
            }
            _ => {
                self.reader.mismatch(&name, value, "a table", Some(format!("write `[{name}]` or `{{ … }}`")));
                None
            }
        }
    }

    /// Returns the entries of a table of tables, such as every `[worker.NAME]`, in the order of the text.
    pub(super) fn entries(&mut self, key: &'static str) -> Vec<Entry<'r, 't>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let name = self.key(key);
        let DeValue::Table(table) = value.get_ref() else {
            self.reader.mismatch(&name, value, "tables", Some(format!("write `[{name}.NAME]`")));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (entry, value) in table {
            match value.get_ref() {
                DeValue::Table(table) => {
                    entries.push(Entry { name: entry.get_ref(), head: entry.span(), table });
                }
                _ => {
                    let title = format!(
                        "{} stands in [{name}] as {}",
                        quote(entry.get_ref()),
                        describe(value.get_ref())
                    );
                    let help = format!("every entry of [{name}] is a table of its own: `[{name}.NAME]`");
                    self.reader
                        .refuse(Diagnostic::error(title).at(entry.span(), "expected a table").help(help));
                }
            }
        }
        entries.sort_by_key(|entry| entry.head.start);
        entries
    }

    /// Returns the elements of an array of tables, such as every `[[grant]]`.
    pub(super) fn elements(&mut self, key: &'static str) -> Vec<Entry<'r, 't>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let help = format!("write `[[{key}]]`");
        let DeValue::Array(array) = value.get_ref() else {
            self.reader.mismatch(key, value, "an array of tables", Some(help));
            return Vec::new();
        };
        let mut elements = Vec::new();
        for value in array.iter() {
            match value.get_ref() {
                DeValue::Table(table) => elements.push(Entry { name: key, head: value.span(), table }),
                _ => self.reader.mismatch(key, value, "a table", Some(help.clone())),
            }
        }
        elements
    }

    /// Returns the names and values of a table whose keys are the user's own.
    pub(super) fn free(
        &mut self,
        key: &'static str,
    ) -> Vec<(&'r Spanned<std::borrow::Cow<'t, str>>, &'r Spanned<DeValue<'t>>)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            let name = self.key(key);
            self.reader.mismatch(&name, value, "a table", None);
            return Vec::new();
        };
        table.iter().collect()
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(self) {
        let title = self.title();
        for key in self.table.keys() {
            if self.asked.contains(&key.get_ref().as_ref()) {
                continue;
            }
            self.reader.found.push(unknown(self.kind, &title, &self.asked, key));
        }
    }

    /// Returns where the table begins.
    pub(super) fn head(&self) -> Range<usize> {
        self.head.clone()
    }

    /// Names the table for a person.
    pub(super) fn title(&self) -> String {
        if self.path.is_empty() { "the manifest".into() } else { format!("[{}]", self.path) }
    }
}

/// Says what is the matter with a key that nobody asked for.
fn unknown(
    kind: Table,
    title: &str,
    asked: &[&'static str],
    key: &Spanned<std::borrow::Cow<'_, str>>,
) -> Diagnostic {
    let name: &str = key.get_ref();
    match fate(kind, name) {
        Some(Fate::Later) => Diagnostic::error(format!("`{name}` is not enforced by this version"))
            .at(key.span(), format!("this version would ignore it in {title}"))
            .help(
                why_later(kind, name)
                    .unwrap_or("remove it; what cannot be enforced is refused rather than ignored"),
            ),
        Some(Fate::Say(advice)) => Diagnostic::error(format!("unknown key `{name}` in {title}"))
            .at(key.span(), format!("not a key of {}", kind.noun()))
            .help(advice),
        None => {
            let known = asked.iter().copied().chain(super::vocabulary::later(kind));
            let help = match nearest(name, known) {
                Some(near) if asked.contains(&near) => format!("did you mean `{near}`?"),
                Some(near) => format!("did you mean `{near}`? This version does not enforce it either"),
                None => format!("the keys of {} are: {}", kind.noun(), asked.join(", ")),
            };
            Diagnostic::error(format!("unknown key {} in {title}", quote(name)))
                .at(key.span(), format!("not a key of {}", kind.noun()))
                .help(help)
        }
    }
}

/// Returns the last parts of a key, enough to tell which one is meant.
pub(super) fn short(key: &str) -> &str {
    let start = key.rmatch_indices('.').next().map_or(0, |(at, _)| at + 1);
    &key[start..]
}

/// Describes a value that was found.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quote(text)),
        DeValue::Integer(number) => format!("the number {}", quote(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", quote(number.as_str())),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(array) if array.is_empty() => "an empty list".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}
