//! What isolation costs: a start in a sandbox beside one without, the checks of a message, a call that is refused.
//!
//! One system is run: as whoever runs this, and if that is root, as an ordinary user too. In it a worker without a sandbox,
//! the asker, measures everything in turns, so that whatever else the machine does meets all of it. What the checks of a
//! message take by themselves is measured in this process, with the code that a worker runs.

mod calls;
mod messages;
mod receive;
mod starts;
mod system;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::Instant;

pub use calls::Call;
pub use system::{is_ours, is_root, run};

use crate::folder::Folder;
use crate::workload::Samples;
use receive::Receipt;
use system::Measured;

/// Who runs the system.
#[derive(Clone, Copy)]
enum Who {
    Caller,
    /// The user that has nothing.
    Nobody,
}

/// Keeps the folders apart.
static NUMBERS: AtomicU32 = AtomicU32::new(0);
/// The number of the user that has nothing.
const NOBODY: u32 = 65_534;

/// Measures, and prints tables.
pub fn print() {
    let began = Instant::now();
    println!("Load of the machine before: {}.", load());
    let is_root = system::is_root();
    let own = measure(Who::Caller).expect("whoever runs this can read it");
    let title = if is_root { "as root" } else { "without root" };
    starts(title, &own);
    let rootless = is_root.then(|| measure(Who::Nobody));
    match rootless {
        Some(Some(rootless)) => starts("without root", &rootless),
        Some(None) => println!(
            "\nWithout root: passed over, since uid {NOBODY} cannot execute this file where it lies."
        ),
        None => {}
    }
    messages(&own);
    receipts(&own, &receive::measure());
    calls(&own);
    println!("\nLoad of the machine after {:.0} s: {}.", began.elapsed().as_secs_f64(), load());
}

/// Runs the system and returns what its asker found; `None` if this executable is out of reach for who is to run it.
fn measure(who: Who) -> Option<Measured> {
    let folder = Folder::new("cost", &NUMBERS);
    if let Who::Nobody = who {
        folder.give_to(NOBODY);
    }
    let said = fs::File::create(folder.path().join("said")).expect("the folder is ours");
    let mut command = Command::new(std::env::current_exe().expect("we know ourselves"));
    command.arg("cost-system").current_dir(folder.path()).stdout(Stdio::null()).stderr(said);
    if let Who::Nobody = who {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ended = match command.status() {
        Ok(ended) => ended,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        Err(error) => panic!("we cannot run ourselves: {error}"),
    };
    let figures = fs::read_to_string(folder.path().join(system::FIGURES));
    let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
    assert!(ended.success() && figures.is_ok(), "the system ended with {ended} and said: {said}");
    // What a sealed worker has to do without on this machine; of one of its lives everything else is told.
    let lacking = said.lines().filter(|line| line.contains(system::SEALED) && !line.contains('#'));
    lacking.for_each(|line| println!("{line}"));
    Some(serde_json::from_str(&figures.unwrap_or_default()).expect("the asker writes figures"))
}

fn starts(title: &str, measured: &Measured) {
    let plain = Samples::of(measured.starts.plain.clone());
    println!(
        "\n| start to the first answer, {title}, ms | least | p10 | p50 | p90 | p50 beside a plain process |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, times) in measured.starts.rows() {
        let times = Samples::of(times.clone());
        let ratio = times.p50() / plain.p50();
        let (least, p10, p50, p90) = (times.least(), times.p10(), times.p50(), times.p90());
        println!("| {name} | {least:.2} | {p10:.2} | {p50:.2} | {p90:.2} | {ratio:.2} |");
    }
}

fn messages(measured: &Measured) {
    println!(
        "\n| messages of 64 bytes, median of {} rounds | one way, 1/s | ns each | ask, p50, us |",
        messages::ROUNDS
    );
    println!("|---|---:|---:|---:|");
    for row in &measured.messages {
        let (rate, ask) = (row.one_way(), Samples::of(row.ask_us.clone()).p50());
        println!("| {} | {rate:.0} | {:.0} | {ask:.2} |", row.name, 1e9 / rate);
    }
}

fn receipts(measured: &Measured, receipt: &Receipt) {
    let whole = 1e9 / measured.messages.first().expect("the sealed one is measured").one_way();
    println!("\n| of one message of 64 bytes, in process | ns | % of one that goes one way |");
    println!("|---|---:|---:|");
    for (name, ns) in receipt.rows() {
        println!("| {name} | {ns:.1} | {:.1} |", ns / whole * 100.0);
    }
}

fn calls(measured: &Measured) {
    println!("\n| one system call, us | sealed | without a sandbox |");
    println!("|---|---:|---:|");
    for (call, [sealed, open]) in &measured.calls {
        println!("| {} | {:.3} | {:.3} |", call.name(), sealed / 1e3, open / 1e3);
    }
}

/// Returns how busy the machine was in the last minute, the last five, and the last fifteen, and with how many processors.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{load} on {processors} processors")
}
