//! Named places at which a fault test kills, hangs or fails the process.
//!
//! They do nothing unless the environment variable `GRANARY_FAULT` names one of [`POINTS`]:
//! `publish.before_commit` kills the process at its first passage as `kill -9` would,
//! `checkpoint.saved:3` at its third, and `=hang`, `=error` or `=panic` behind either of them does
//! that instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use super::{Exit, Refused};

/// The variable that says what is to go wrong, read once.
pub const VARIABLE: &str = "GRANARY_FAULT";

/// Every place, in the order in which an import, a night, a release and an acknowledgement pass them.
pub const POINTS: &[&str] = &[
    "import.before_rows",
    "import.after_rows",
    "import.before_commit",
    "import.after_commit",
    "attempt.begun",
    "night.pulled",
    "checkpoint.saved",
    "night.forecast",
    "night.planned",
    "publish.after_deletes",
    "publish.after_forecasts",
    "publish.after_lines",
    "publish.before_commit",
    "publish.after_commit",
    "attempt.ended",
    "release.before_commit",
    "release.after_commit",
    "acknowledge.before_commit",
    "acknowledge.after_commit",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Kill,
    Hang,
    Error,
    Panic,
}

#[derive(Debug)]
struct Fault {
    point: &'static str,
    /// Counted from 1.
    passage: u64,
    act: Act,
    passed: AtomicU64,
}

static FAULT: OnceLock<Result<Option<Fault>, String>> = OnceLock::new();

/// A place where the process may be made to fail.
///
/// # Errors
/// Where an error was asked for here, and everywhere when what was asked for cannot be understood:
/// a misspelt fault must not look like a test that passed.
pub fn point(name: &'static str) -> anyhow::Result<()> {
    match FAULT.get_or_init(from_environment) {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => fault.pass(name),
        Err(message) => Err(Refused::new(Exit::Usage, message.clone()).into()),
    }
}

fn from_environment() -> Result<Option<Fault>, String> {
    match std::env::var_os(VARIABLE) {
        None => Ok(None),
        Some(text) => parse(&text.to_string_lossy()),
    }
}

/// `POINT`, `POINT:PASSAGE`, and `=ACT` behind either; nothing for an empty text.
fn parse(text: &str) -> Result<Option<Fault>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (place, act) = text.split_once('=').unwrap_or((text, "kill"));
    let (name, passage) = place.split_once(':').unwrap_or((place, "1"));
    let point = POINTS.iter().find(|point| **point == name).ok_or_else(|| {
        format!("{VARIABLE}={text}: there is no point {name:?}; there are {}", POINTS.join(", "))
    })?;
    let passage = passage.parse().ok().filter(|&passage| passage >= 1).ok_or_else(|| {
        format!("{VARIABLE}={text}: the passage should be a number from 1 on, but is {passage:?}")
    })?;
    let act = match act {
        "kill" => Act::Kill,
        "hang" => Act::Hang,
        "error" => Act::Error,
        "panic" => Act::Panic,
        _ => {
            let legal = "kill, hang, error or panic";
            return Err(format!("{VARIABLE}={text}: what happens should be {legal}, not {act:?}"));
        }
    };
    Ok(Some(Fault { point, passage, act, passed: AtomicU64::new(0) }))
}

impl Fault {
    fn pass(&self, name: &str) -> anyhow::Result<()> {
        if self.point != name || self.passed.fetch_add(1, Ordering::Relaxed) + 1 != self.passage {
            return Ok(());
        }
        match self.act {
            Act::Kill => {
                // Nothing can be done about a signal that cannot be sent; the process goes no
                // further in either case.
                let _ = kill_process(getpid(), Signal::KILL);
                hang()
            }
            Act::Hang => hang(),
            Act::Error => anyhow::bail!("the fault test asked for an error at {name}"),
            Act::Panic => panic!("the fault test asked for a panic at {name}"),
        }
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn check(text: &str, want: Result<(&str, u64, Act), &str>) {
        match (parse(text), want) {
            (Ok(Some(fault)), Ok(want)) => {
                assert_eq!((fault.point, fault.passage, fault.act), want, "{text}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
            (got, want) => panic!("{text}: {got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn faults_are_read_and_misspelt_ones_refused() {
        check("publish.before_commit", Ok(("publish.before_commit", 1, Act::Kill)));
        check("checkpoint.saved:3", Ok(("checkpoint.saved", 3, Act::Kill)));
        check("night.planned=hang", Ok(("night.planned", 1, Act::Hang)));
        check("night.planned:2=error", Ok(("night.planned", 2, Act::Error)));
        check("attempt.ended=panic", Ok(("attempt.ended", 1, Act::Panic)));
        check("publish.commit", Err("there is no point \"publish.commit\""));
        check("night.planned:0", Err("a number from 1 on, but is \"0\""));
        check("night.planned:two", Err("a number from 1 on, but is \"two\""));
        check("night.planned=explode", Err("kill, hang, error or panic, not \"explode\""));
        assert!(matches!(parse(""), Ok(None)));
    }

    #[test]
    fn only_the_passage_that_is_named_fails() {
        let fault = parse("checkpoint.saved:2=error").expect("legal").expect("a fault");
        assert!(fault.pass("night.planned").is_ok());
        let failed: Vec<bool> = (0..4).map(|_| fault.pass("checkpoint.saved").is_err()).collect();
        assert_eq!(failed, [false, true, false, false]);
    }

    fn count_uses(folder: &Path, uses: &mut BTreeMap<String, usize>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                count_uses(&path, uses);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("source is text");
                // The call is put together here, so that this file is not a use of it.
                let call = ["faults::", "point(\""].concat();
                for part in text.split(&call).skip(1) {
                    let name = part.split('"').next().unwrap_or_default();
                    *uses.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }

    #[test]
    fn every_point_is_listed_once_and_used_once() {
        let mut uses = BTreeMap::new();
        count_uses(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut uses);
        let want: BTreeMap<String, usize> = POINTS.iter().map(|p| ((*p).to_owned(), 1)).collect();
        assert_eq!(want.len(), POINTS.len(), "a point is listed twice");
        assert_eq!(uses, want);
    }
}
