//! How many lines of source an executable holds instructions for, read off its line tables.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use addr2line::gimli::{self, EndianSlice, RunTimeEndian};
use object::{Object as _, ObjectSection as _};

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// Returns the lines with instructions, by crate; the reason in words where the executable does not tell.
pub(super) fn by_crate(executable: &Path) -> Result<BTreeMap<String, usize>, String> {
    let bytes = std::fs::read(executable).map_err(|error| error.to_string())?;
    let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let section = |id: gimli::SectionId| -> Result<Cow<'_, [u8]>, String> {
        let found = file.section_by_name(id.name());
        let data = found.map(|section| section.uncompressed_data()).transpose();
        Ok(data.map_err(|error| error.to_string())?.unwrap_or_default())
    };
    let sections = gimli::DwarfSections::load(section)?;
    let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, endian));
    let lines = lines(&dwarf).map_err(|error| error.to_string())?;
    if lines.is_empty() {
        return Err("it has no line tables; build with `debug = \"line-tables-only\"`".into());
    }
    let mut crates = BTreeMap::new();
    for (path, lines) in &lines {
        *crates.entry(crate_of(path)).or_default() += lines.len();
    }
    Ok(crates)
}

/// Returns the lines with instructions, by file.
fn lines(dwarf: &gimli::Dwarf<Slice<'_>>) -> gimli::Result<HashMap<String, HashSet<u64>>> {
    let mut found: HashMap<String, HashSet<u64>> = HashMap::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let Some(program) = unit.line_program.clone() else { continue };
        let folder = unit.comp_dir.map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default();
        let mut paths: HashMap<u64, String> = HashMap::new();
        let mut rows = program.rows();
        while let Some((header, row)) = rows.next_row()? {
            let Some(line) = row.line().filter(|_| !row.end_sequence()) else { continue };
            let number = row.file_index();
            let path = match paths.get(&number) {
                Some(path) => path,
                None => {
                    let path = row.file(header).map(|file| path_of(dwarf, &unit, header, file, &folder));
                    paths.entry(number).or_insert(path.transpose()?.unwrap_or_default())
                }
            };
            match found.get_mut(path) {
                Some(lines) => drop(lines.insert(line.get())),
                None => drop(found.insert(path.clone(), HashSet::from([line.get()]))),
            }
        }
    }
    Ok(found)
}

fn path_of(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    unit: &gimli::Unit<Slice<'_>>,
    header: &gimli::LineProgramHeader<Slice<'_>>,
    file: &gimli::FileEntry<Slice<'_>>,
    folder: &str,
) -> gimli::Result<String> {
    let name = dwarf.attr_string(unit, file.path_name())?.to_string_lossy().into_owned();
    let directory = file.directory(header).map(|value| dwarf.attr_string(unit, value)).transpose()?;
    let directory = directory.map(|slice| slice.to_string_lossy().into_owned()).unwrap_or_default();
    let path = Path::new(folder).join(directory).join(name);
    Ok(path.to_string_lossy().into_owned())
}

/// Returns the crate that a file belongs to, as its place says: a package of a registry with its version, the standard
/// library, else the folder around `src`.
fn crate_of(path: &str) -> String {
    if let Some((_, rest)) = path.split_once("/registry/src/") {
        return rest.split('/').nth(1).unwrap_or("a registry").to_owned();
    }
    if path.contains("/rustc/") || path.contains("/rust/deps/") || path.contains("/lib/rustlib/src/") {
        return "the standard library".to_owned();
    }
    let parts: Vec<&str> = path.split('/').collect();
    let around = parts.iter().rposition(|part| *part == "src").and_then(|at| parts.get(at.checked_sub(1)?));
    let folder = parts.len().checked_sub(2).and_then(|at| parts.get(at));
    around
        .or(folder)
        .filter(|name| !name.is_empty())
        .map_or_else(|| "elsewhere".into(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_crate_that_its_place_names() {
        for (path, name) in [
            ("/root/.cargo/registry/src/index.crates.io-1949/serde-1.0.1/src/de/mod.rs", "serde-1.0.1"),
            ("/rustc/5980/library/core/src/ptr.rs", "the standard library"),
            ("/home/me/shop/keys/src/sign.rs", "keys"),
            ("/home/me/shop/keys/main.rs", "keys"),
            ("x.rs", "elsewhere"),
        ] {
            assert_eq!(crate_of(path), name, "{path}");
        }
    }

    #[test]
    fn this_very_file_has_lines_with_instructions() {
        let own = std::env::current_exe().expect("a test is a program");
        match by_crate(&own) {
            Ok(crates) => {
                assert!(crates.values().sum::<usize>() > 1000, "{crates:?}");
                assert!(
                    crates.contains_key("the standard library") && crates.contains_key("cli"),
                    "{crates:?}"
                );
            }
            Err(why) => assert!(why.contains("line tables"), "{why}"),
        }
    }

    #[test]
    fn what_is_no_executable_is_not_known() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        assert!(by_crate(file.path()).is_err());
    }
}
