//! A run in a process of its own: whatever happens to it, the server goes on.
//!
//! The child's input is a pipe that the server holds open. When the server ends, however it ends, the
//! pipe closes and the child ends too, so no run is left that nobody watches over.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use granary_models::calendar::Day;
use rustix::process::{Pid, Signal, kill_process};

use super::{Ended, Runner, Stop};
use crate::config::{Exit, Job, Secret};

/// How often the child is looked after.
const LOOK: Duration = Duration::from_millis(50);
/// From the polite signal to the other.
const GRACE: Duration = Duration::from_secs(5);
/// A longer line of a child's is cut: what it says must not fill the server's memory.
const LINE_BYTES: u64 = 8192;

/// Runs `granary run JOB --date D` as a child process.
pub struct ChildRunner {
    pub program: PathBuf,
    /// As `--db` takes it. It may hold a password and is handed on by the environment only.
    pub database: Secret,
    pub jobs: PathBuf,
    pub threads: usize,
    /// Further variables of the child's environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// This program. On Linux it can be started even where its file has been replaced by a newer one
/// meanwhile, and a run is of the same version as its server.
pub fn this_program() -> std::io::Result<PathBuf> {
    let itself = Path::new("/proc/self/exe");
    if itself.exists() { Ok(itself.to_owned()) } else { std::env::current_exe() }
}

impl Runner for ChildRunner {
    fn run(&self, job: &Job, date: Day, stop: &Stop) -> Ended {
        let what = format!("{} {date}", job.name);
        let mut child = match self.start(job, date) {
            Ok(child) => child,
            Err(error) => return Ended::BrokeOff(format!("the run cannot be started: {error}")),
        };
        let last_words = Arc::new(Mutex::new(String::new()));
        let listener = child.stderr.take().map(|stderr| {
            let last_words = last_words.clone();
            std::thread::spawn(move || listen(stderr, &what, &last_words))
        });
        let ended = wait(&mut child, stop);
        if let Some(listener) = listener {
            // A grandchild could keep the pipe open, but a night starts none.
            let _ = listener.join();
        }
        let said = last_words.lock().map(|words| words.clone()).unwrap_or_default();
        match ended {
            Ok(status) => told(status, &said),
            Err(error) => Ended::BrokeOff(format!("the run is out of sight: {error}")),
        }
    }
}

impl ChildRunner {
    fn start(&self, job: &Job, date: Day) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg0("granary")
            .arg("--jobs")
            .arg(&self.jobs)
            .args(["--threads", &self.threads.to_string()])
            .args(["run", &job.name, "--date", &date.to_string(), "--under-a-server"])
            .env("GRANARY_DB", self.database.reveal())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C at the server's terminal lets the run finish.
            .process_group(0)
            .spawn()
    }
}

/// Waits for the child's end, and brings it about once `stop` is set.
fn wait(child: &mut Child, stop: &Stop) -> std::io::Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match asked {
            None if stop.is_set() => {
                asked = Some(Instant::now());
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                // It may have ended just now; then the next look finds it.
                let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
            }
            Some(at) if at.elapsed() > GRACE => child.kill()?,
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

fn told(status: ExitStatus, said: &str) -> Ended {
    let because = if said.is_empty() { String::new() } else { format!(": {said}") };
    let is = |exit: Exit| status.code() == Some(exit as i32);
    match (status.code(), status.signal()) {
        _ if is(Exit::Ok) => Ended::InOrder("published".to_owned()),
        _ if is(Exit::PlanHeld) => Ended::InOrder("published or held, see the plan".to_owned()),
        _ if is(Exit::StaleData) => Ended::InOrder(format!("stale{because}")),
        _ if is(Exit::LockHeld) => Ended::NotBegun(said.to_owned()),
        (Some(code), _) => Ended::BrokeOff(format!("ended with code {code}{because}")),
        (None, Some(signal)) => Ended::BrokeOff(format!("killed by signal {signal}{because}")),
        (None, None) => Ended::BrokeOff(format!("ended without a word{because}")),
    }
}

/// Hands the child's lines on to our log, and keeps the last that tells of trouble.
fn listen(stderr: ChildStderr, what: &str, last_words: &Mutex<String>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text: String = text
            .trim()
            .chars()
            .map(|sign| if sign.is_control() { '\u{fffd}' } else { sign })
            .collect();
        let (level, rest) = text.split_once(' ').unwrap_or(("", &text));
        match level {
            "INFO" => tracing::info!("{what}: {}", rest.trim()),
            "DEBUG" | "TRACE" => tracing::debug!("{what}: {}", rest.trim()),
            "WARN" => tracing::warn!("{what}: {}", rest.trim()),
            "" if text.is_empty() => {}
            _ => {
                let rest = text.trim_start_matches("ERROR").trim_start_matches("error:").trim();
                tracing::error!("{what}: {rest}");
                if let Ok(mut words) = last_words.lock() {
                    // The first line of a panic tells where, the next ones what.
                    if !words.is_empty() && words.len() < 500 && words.contains("panicked at") {
                        words.push_str(" · ");
                        words.push_str(rest);
                    } else {
                        *words = rest.to_owned();
                    }
                }
            }
        }
    }
}
