//! Files read in a child process under limits on memory and time. Running out of memory ends a
//! process, whatever it would rather do; so the one that ends is the child, and the service goes on.
//!
//! The child is this program again, as `granary read-rows`. It hears what to read on stdin, answers
//! with the headers, hears which columns are wanted, and sends chunk after chunk. Each message is its
//! length in eight bytes and then postcard.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::chunk::{Chunk, ChunkReader};
use super::map::Map;
use super::{Input, Limits, file_name};

/// The hidden command under which the child is started.
pub const COMMAND: &str = "read-rows";
const MESSAGE_BYTES_MAX: u64 = 1 << 31;
/// Processor time for one file.
const CPU_SECONDS: u64 = 900;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// From now on files of sources are read by children that run this program. Said once, at the start
/// of the program itself; a test that calls the library reads in its own process.
pub fn read_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// What the child is to read, and how.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    path: PathBuf,
    encoding: Option<String>,
    delimiter: Option<char>,
    time_zone: Option<String>,
    sheet: Option<String>,
    unpacked_bytes: u64,
    rows: u64,
    memory_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    headers: Vec<String>,
    types: Vec<String>,
    digest: String,
}

fn send<T: Serialize>(to: &mut impl Write, message: &T) -> anyhow::Result<()> {
    let bytes = postcard::to_stdvec(message)?;
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}

fn hear<T: DeserializeOwned>(from: &mut impl Read) -> anyhow::Result<T> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    ensure!(length <= MESSAGE_BYTES_MAX, "a message of {length} bytes");
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == length, "a message was cut off");
    Ok(postcard::from_bytes(&bytes)?)
}

/// The child's side of the talk.
///
/// # Errors
/// The parent has gone. What is wrong with the file is told to the parent.
pub fn serve() -> anyhow::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let order: Order = hear(&mut input)?;
    limit_this_process(order.memory_bytes);
    let map = Map {
        encoding: order.encoding,
        delimiter: order.delimiter,
        time_zone: order.time_zone,
        sheet: order.sheet,
        ..Map::default()
    };
    let limits = Limits { unpacked_bytes: order.unpacked_bytes, rows: order.rows };
    let opened = Input::file(&order.path, &map, &limits);
    let mut reader = match opened {
        Ok(opened) => {
            let head = Head {
                headers: opened.reader.headers().to_vec(),
                types: opened.reader.types(),
                digest: opened.digest,
            };
            send(&mut output, &Ok::<Head, String>(head))?;
            opened.reader
        }
        Err(error) => return send(&mut output, &Err::<Head, String>(format!("{error:#}"))),
    };
    reader.select(hear(&mut input)?);
    loop {
        let next = reader.next_chunk().map_err(|error| format!("{error:#}"));
        let last = !matches!(next, Ok(Some(_)));
        send(&mut output, &next)?;
        if last {
            return Ok(());
        }
    }
}

fn limit_this_process(memory_bytes: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = [(Resource::As, memory_bytes), (Resource::Cpu, CPU_SECONDS), (Resource::Core, 0)];
    for (resource, limit) in limits {
        let maximum = getrlimit(resource).maximum;
        let current = Some(maximum.map_or(limit, |maximum| limit.min(maximum)));
        // Refused only above the maximum, which was just read; then the old limit stands.
        let _ = setrlimit(resource, Rlimit { current, maximum: current });
    }
}

/// A file to import, read by a child where there is a program for it, else in this process.
///
/// # Errors
/// As [`Input::file`], and when the child cannot be started or was ended by its limits.
pub fn input(path: &Path, map: &Map, limits: &Limits, memory_bytes: u64) -> anyhow::Result<Input> {
    let Some(program) = PROGRAM.get() else { return Input::file(path, map, limits) };
    let mut child = Command::new(program)
        .arg(COMMAND)
        .env_clear()
        // Each arena of the allocator reserves address space, which is what is limited.
        .env("MALLOC_ARENA_MAX", "1")
        .env("POLARS_MAX_THREADS", "1")
        .env("RAYON_NUM_THREADS", "1")
        .env("TOKIO_WORKER_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the reading process")?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut reader = ChildReader {
        stdin: stdin.context("the reading process has no stdin")?,
        stdout: stdout.context("the reading process has no stdout")?,
        child,
        name: path.display().to_string(),
        memory_bytes,
        headers: Vec::new(),
        types: Vec::new(),
        started: false,
        ended: false,
        wanted: Vec::new(),
    };
    let order = Order {
        path: std::path::absolute(path)?,
        encoding: map.encoding.clone(),
        delimiter: map.delimiter,
        time_zone: map.time_zone.clone(),
        sheet: map.sheet.clone(),
        unpacked_bytes: limits.unpacked_bytes,
        rows: limits.rows,
        memory_bytes,
    };
    let head: Result<Head, String> = send(&mut reader.stdin, &order)
        .and_then(|()| hear(&mut reader.stdout))
        .map_err(|error| reader.why(error))?;
    let head = head.map_err(|error| anyhow::anyhow!(error))?;
    reader.wanted = vec![true; head.headers.len()];
    (reader.headers, reader.types) = (head.headers, head.types);
    Ok(Input { name: file_name(path), digest: head.digest, reader: Box::new(reader) })
}

struct ChildReader {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    name: String,
    memory_bytes: u64,
    headers: Vec<String>,
    types: Vec<String>,
    wanted: Vec<bool>,
    started: bool,
    ended: bool,
}

impl ChildReader {
    /// What became of a child that does not answer.
    fn why(&mut self, error: anyhow::Error) -> anyhow::Error {
        use std::os::unix::process::ExitStatusExt;
        match self.child.wait() {
            Ok(status) => match status.signal() {
                Some(signal) => anyhow::anyhow!(
                    "{}: the reading process was ended by signal {signal} under its limits of {} \
                     MiB and {CPU_SECONDS} seconds of processor time",
                    self.name,
                    self.memory_bytes >> 20
                ),
                None => anyhow::anyhow!("{}: the reading process gave up: {status}", self.name),
            },
            Err(_) => error.context(self.name.clone()),
        }
    }
}

impl Drop for ChildReader {
    fn drop(&mut self) {
        // A child that still has something to say is not needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ChunkReader for ChildReader {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn types(&self) -> Vec<String> {
        self.types.clone()
    }

    fn select(&mut self, wanted: Vec<bool>) {
        self.wanted = wanted;
    }

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        if self.ended {
            return Ok(None);
        }
        if !self.started {
            self.started = true;
            let wanted = self.wanted.clone();
            send(&mut self.stdin, &wanted).map_err(|error| self.why(error))?;
        }
        let next: Result<Option<Chunk>, String> =
            hear(&mut self.stdout).map_err(|error| self.why(error))?;
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|error| anyhow::anyhow!(error))
    }
}
