//! What the command line says about a comparison.

use super::column::Column;
use super::columns;
use super::goals;
use super::tables;
use super::task::FULL_MILLIS;
use super::workloads::Workload;

/// What can be said.
pub const USAGE: &str = "\
compare [--only WORKLOAD[@X],..] [--systems NAME,..] [--rounds N] [--quick] [--save FILE]

  --only     these workloads only; size@1048576 is one point of one, `between` and `within` are all of a place, and
             `page` is what the goals and the tables of systems need, without what is drawn at many points
  --systems  these columns only
  --rounds   5 unless said
  --quick    an eighth of the time for each measurement: whether it works, not how fast
  --save     keeps what was measured, for `page`";

/// What the page cannot do without.
const PAGE: &str = "page";

/// What is measured, and how often.
pub struct Options {
    /// Workloads and their points.
    pub tasks: Vec<(Workload, u64)>,
    /// Columns, in the order of tables.
    pub columns: Vec<&'static dyn Column>,
    /// How often everything is measured.
    pub rounds: usize,
    /// How long one measurement takes.
    pub millis: u64,
    /// Where what was measured is kept.
    pub save: Option<String>,
}

impl Options {
    /// Reads them.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            tasks: tasks("between,within")?,
            columns: columns::all(),
            rounds: 5,
            millis: FULL_MILLIS,
            save: None,
        };
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            if option == "--quick" {
                options.millis = FULL_MILLIS / 8;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{option} is unknown, or wants a value"))?;
            match option.as_str() {
                "--only" => options.tasks = tasks(value)?,
                "--systems" => options.columns = named(value)?,
                "--rounds" => {
                    let rounds = value.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = rounds.ok_or_else(|| format!("--rounds {value} is no number"))?;
                }
                "--save" => options.save = Some(value.clone()),
                _ => return Err(format!("{option} is unknown")),
            }
        }
        Ok(options)
    }
}

fn tasks(list: &str) -> Result<Vec<(Workload, u64)>, String> {
    let mut tasks = Vec::new();
    for word in list.split(',') {
        if word == PAGE {
            tasks.extend(tables::entries().chain(goals::points()));
            continue;
        }
        let (name, x) = match word.split_once('@') {
            Some((name, x)) => {
                let x: Result<u64, _> = x.parse();
                (name, Some(x.map_err(|error| format!("{word}: {error}"))?))
            }
            None => (word, None),
        };
        let before = tasks.len();
        for workload in Workload::ALL {
            if workload.describe().name == name || workload.place().name() == name {
                let all = workload.describe().points.iter().map(|point| (workload, *point));
                tasks.extend(all.filter(|(_, point)| x.is_none_or(|x| x == *point)));
            }
        }
        if tasks.len() == before {
            let names: Vec<_> = Workload::ALL.map(|workload| workload.describe().name).to_vec();
            return Err(format!("{word} is no workload, or no point of one; there are {}", names.join(", ")));
        }
    }
    // Nothing twice, in the order of tables.
    tasks.sort_unstable();
    tasks.dedup();
    Ok(tasks)
}

fn named(list: &str) -> Result<Vec<&'static dyn Column>, String> {
    let all = columns::all();
    let known = all.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
    let wanted: Vec<_> = list.split(',').collect();
    if let Some(unknown) = wanted.iter().find(|name| !all.iter().any(|column| column.name() == **name)) {
        return Err(format!("{unknown} is no column; there are {known} (peers want `--features peers`)"));
    }
    Ok(all.into_iter().filter(|column| wanted.contains(&column.name())).collect())
}
