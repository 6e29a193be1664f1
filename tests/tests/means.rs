//! What a worker has at its disposal, through the whole of a supervisor: how much it may write.

use bailiwick_tests::harness::Supervised;

/// Runs a worker `m` of one actor, with these keys of the worker, of its sandbox, and arguments.
fn run(worker: &str, sandbox: &str, args: &str) -> Supervised {
    let manifest = format!(
        "[worker.m]\nexec = \"tw\"\n{worker}\nactor.means = {{ type = \"Means\", args = {args} }}\n\
         [worker.m.sandbox]\n{sandbox}\n"
    );
    let (bailiwickd, tw) = (env!("CARGO_BIN_EXE_bailiwickd-under-test"), env!("CARGO_BIN_EXE_tw"));
    Supervised::manifest(bailiwickd, tw, &manifest)
}

#[test]
fn a_write_beyond_the_limit_is_an_error_and_no_end() {
    let supervised = run("", "limit_fsize = \"1M\"", "{ seal = 1_048_577 }");
    supervised.journal().wait_for(0, "sealed 1048577 bytes not: write to a memfd failed: EFBIG");
    supervised.wait_for_life("m", 1);
    let supervised = run("", "limit_fsize = \"1M\"", "{ seal = 1_048_576 }");
    supervised.journal().wait_for(0, "sealed 1048576 bytes");
}
