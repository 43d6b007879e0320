//! A killed run goes on where it was, and ends with the bytes of one that was left in peace.

use std::time::{Duration, Instant};

use super::*;

const ARGS: &str = "--freq D --horizon 14 --windows 8 --models all";
const FILES: [&str; 5] =
    ["forecasts.parquet", "scores.parquet", "effects.parquet", "scores.json", "report.html"];

fn table(desk: &Desk) -> PathBuf {
    desk.file("panel.csv", &daily(120, 200, |series, day| demand(series, day).to_string()))
}

/// Kills a run when it has finished its first windows but not all.
fn killed(desk: &Desk, input: &Path, out: &str, args: &str) {
    let mut child = desk.command(input, out, args).spawn().expect("the program starts");
    let first = desk.path(out).join(".partial/window-0000.json");
    let started = Instant::now();
    while !first.exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no window was finished");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("SIGKILL");
    let status = child.wait().expect("an end");
    assert!(!status.success(), "it ended before it was killed");
    let last = desk.path(out).join(".partial/window-0007.json");
    assert!(!last.exists() && !desk.path(out).join("scores.json").exists());
}

fn assert_same(desk: &Desk, a: &str, b: &str) {
    for name in FILES {
        let read = |out: &str| std::fs::read(desk.path(out).join(name)).expect(name);
        assert!(read(a) == read(b), "{name} differs");
    }
    assert!(!desk.path(b).join(".partial").exists(), "nothing is left over");
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_bytes() {
    let desk = Desk::open();
    let input = table(&desk);
    desk.forecasts(&input, "whole", ARGS);
    killed(&desk, &input, "killed", ARGS);
    let output = desk.run(&input, "killed", ARGS);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("windows that an earlier run had finished: "));
    assert_same(&desk, "whole", "killed");
    // Over a finished one, and with --fresh, the files are the same again.
    killed_fresh(&desk, &input);
}

fn killed_fresh(desk: &Desk, input: &Path) {
    killed(desk, input, "fresh", ARGS);
    let output = desk.run(input, "fresh", &format!("{ARGS} --fresh"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("earlier run"), "{}", stderr(&output));
    assert_same(desk, "whole", "fresh");
}

#[test]
fn other_arguments_or_another_table_start_over() {
    let desk = Desk::open();
    let input = table(&desk);
    killed(&desk, &input, "out", ARGS);
    let other = "--freq D --horizon 7 --windows 1 --models ses";
    let output = desk.run(&input, "out", other);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("starting over"), "{}", stderr(&output));
    desk.forecasts(&input, "whole", other);
    assert_same(&desk, "whole", "out");
}

#[test]
fn other_drivers_start_over() {
    let desk = Desk::open();
    let small = daily(24, 180, |series, day| demand(series, day).to_string());
    let input = desk.file("panel.csv", &small);
    let rows = |value: i32| format!("ds,a,b\n2024-01-01,{value},2\n");
    let args = |declared: &str| {
        let path = desk.path("drivers.csv");
        format!("{ARGS} --drivers {} {declared}", path.display())
    };
    let declared = "--known a --past b";
    for (value, then, over) in [
        (1, declared, false),
        (2, declared, true),
        (1, "--known a,b", true),
        (1, "--known a --past b --country CN", true),
    ] {
        desk.file("drivers.csv", &rows(1));
        killed(&desk, &input, "out", &args(declared));
        desk.file("drivers.csv", &rows(value));
        let output = desk.run(&input, "out", &args(then));
        let told = stderr(&output);
        assert!(output.status.success(), "{told}");
        assert_eq!(told.contains("starting over"), over, "{then} {value}: {told}");
        assert_eq!(told.contains("an earlier run had finished"), !over, "{then} {value}: {told}");
        std::fs::remove_dir_all(desk.path("out")).expect("a folder");
    }
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let desk = Desk::open();
    let input =
        desk.file("panel.csv", &daily(2, 40, |series, day| demand(series, day).to_string()));
    std::fs::create_dir(desk.path("out")).expect("a folder");
    let folder = std::fs::File::open(desk.path("out")).expect("a folder");
    folder.lock().expect("a lock");
    let output = desk.run(&input, "out", "--freq D --horizon 7");
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    drop(folder);
    desk.forecasts(&input, "out", "--freq D --horizon 7");
}
