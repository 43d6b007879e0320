//! Objects of a bucket that speaks Amazon's S3: pages of a listing, and downloads that are whole.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket as Address, Credentials as Key, UrlStyle};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::{Listed, Listing, Names, Taken};
use crate::config::Secret;
use crate::config::source::{Bucket, Credentials};
use crate::sources::guard;

const TRIES: u32 = 4;
/// Doubled after each try.
const FIRST_WAIT_MS: u64 = 200;
const PAGES_MAX: usize = 10_000;
const PAGE_BYTES_MAX: u64 = 16 << 20;
/// How long a signed address is good for.
const SIGNED_FOR: Duration = Duration::from_secs(600);

pub struct S3Shelf {
    address: Address,
    key: Option<Key>,
    prefix: String,
    names: Names,
    agent: Agent,
}

/// What went wrong with one request, and whether another may fare better.
struct Failed {
    error: anyhow::Error,
    again: bool,
}

impl S3Shelf {
    pub fn open(of: &Bucket, home: &Path) -> anyhow::Result<S3Shelf> {
        let endpoint: url::Url =
            of.endpoint.parse().with_context(|| format!("endpoint {:?} is no URL", of.endpoint))?;
        ensure!(
            matches!(endpoint.scheme(), "http" | "https") && endpoint.password().is_none(),
            "endpoint should be https://host or http://host, without a password"
        );
        let style = if of.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let address = Address::new(endpoint, style, of.bucket.clone(), of.region.clone())
            .with_context(|| format!("the bucket {:?} at {:?}", of.bucket, of.endpoint))?;
        let base = address.base_url();
        let host = base.host_str().context("the endpoint has no host")?;
        guard::resolve(host, base.port_or_known_default().unwrap_or(443), &of.hosts)?;
        Ok(S3Shelf {
            agent: agent(base.scheme() == "https", Duration::from_secs(of.timeout_seconds))?,
            address,
            key: key(&of.credentials, home)?,
            prefix: of.prefix.clone(),
            names: Names::new(&of.files)?,
        })
    }

    pub fn list(&self) -> anyhow::Result<Listing> {
        let mut listing = Listing::default();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(token.as_deref())?;
            for object in page.contents {
                let Some(name) = object.key.strip_prefix(&self.prefix) else { continue };
                let name = name.to_owned();
                // A key that ends in a slash stands for a folder.
                if name.is_empty() || name.ends_with('/') || !self.names.wants(&name) {
                    continue;
                }
                match (Names::unfinished(&name), object.etag, object.size) {
                    (Some(why), _, _) => listing.left.push((name, why.to_owned())),
                    (None, Some(etag), Some(size_bytes)) => {
                        listing.files.push(Listed { name, size_bytes, version: bare(&etag) });
                    }
                    _ => listing.left.push((name, "it has no size or no ETag".to_owned())),
                }
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(listing);
            }
        }
        anyhow::bail!("the listing of {} has more than {PAGES_MAX} pages", self.address.name())
    }

    fn page(
        &self,
        token: Option<&str>,
    ) -> anyhow::Result<rusty_s3::actions::ListObjectsV2Response> {
        let what = format!("cannot list {}/{}", self.address.name(), self.prefix);
        let text = self.tried(&what, || {
            let mut ask = self.address.list_objects_v2(self.key.as_ref());
            ask.with_prefix(self.prefix.as_str());
            if let Some(token) = token {
                ask.with_continuation_token(token);
            }
            let answer = self.get(ask.sign(SIGNED_FOR).as_str())?;
            let mut text = String::new();
            let length = content_length(&answer);
            let read = answer
                .into_body()
                .into_reader()
                .take(PAGE_BYTES_MAX)
                .read_to_string(&mut text)
                .map_err(|error| Failed { error: error.into(), again: true })?;
            whole(read as u64, length)?;
            Ok(text)
        })?;
        ListObjectsV2::parse_response(&text)
            .map_err(|_| anyhow::anyhow!("{what}: the answer is no listing"))
    }

    /// Downloads an object of the version that was listed.
    pub fn take(&self, file: &Listed) -> anyhow::Result<Taken> {
        self.names.check_size(&file.name, file.size_bytes)?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let base = file.name.rsplit('/').next().unwrap_or(&file.name);
        let path = folder.path().join(base);
        let key = format!("{}{}", self.prefix, file.name);
        self.tried(&format!("cannot read {}/{key}", self.address.name()), || {
            let ask = self.address.get_object(self.key.as_ref(), &key);
            let answer = self.get(ask.sign(SIGNED_FOR).as_str())?;
            let version = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
            if version.map(bare).is_none_or(|version| version != file.version) {
                let error = anyhow::anyhow!("it changed since it was listed");
                return Err(Failed { error, again: false });
            }
            let length = content_length(&answer);
            let mut body = answer.into_body().into_reader().take(file.size_bytes + 1);
            let copied = copy(&mut body, &path)?;
            whole(copied, length)?;
            whole(copied, Some(file.size_bytes))
        })?;
        Ok(Taken { path, _download: Some(folder) })
    }

    fn get(&self, url: &str) -> Result<ureq::http::Response<ureq::Body>, Failed> {
        let answer = self.agent.get(url).call().map_err(|error| Failed {
            // The address holds the signature, so only the kind of trouble is told.
            error: anyhow::anyhow!("{}", told(&error)),
            again: true,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut body = String::new();
        let _ = answer.into_body().into_reader().take(4_096).read_to_string(&mut body);
        let code = between(&body, "<Code>", "</Code>").unwrap_or_default();
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        Err(Failed { error: anyhow::anyhow!("the server answers {status} {code}"), again })
    }

    /// Tries again after trouble that may pass, with longer and longer waits.
    fn tried<T>(
        &self,
        what: &str,
        mut act: impl FnMut() -> Result<T, Failed>,
    ) -> anyhow::Result<T> {
        let mut wait = Duration::from_millis(FIRST_WAIT_MS);
        for attempt in 1.. {
            match act() {
                Ok(done) => return Ok(done),
                Err(failed) if failed.again && attempt < TRIES => {
                    tracing::debug!("{what}: {:#}; trying again", failed.error);
                    std::thread::sleep(wait);
                    wait *= 2;
                }
                Err(failed) => {
                    let tries =
                        if attempt > 1 { format!(" ({attempt} tries)") } else { String::new() };
                    return Err(failed.error.context(format!("{what}{tries}")));
                }
            }
        }
        anyhow::bail!("{what}")
    }
}

fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "the host was not found".to_owned(),
        ureq::Error::Tls(why) => format!("TLS: {why}"),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Protocol(error) => format!("no HTTP: {error}"),
        _ => "the request failed".to_owned(),
    }
}

fn copy(body: &mut impl Read, path: &Path) -> Result<u64, Failed> {
    let here = |error: std::io::Error| Failed {
        error: anyhow::Error::new(error).context("cannot write the download"),
        again: false,
    };
    let mut file = File::create(path).map_err(here)?;
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        let read = body.read(&mut buffer).map_err(|error| Failed {
            error: anyhow::Error::new(error).context(format!("cut off after {copied} bytes")),
            again: true,
        })?;
        if read == 0 {
            return Ok(copied);
        }
        file.write_all(&buffer[..read]).map_err(here)?;
        copied += read as u64;
    }
}

fn whole(read: u64, length: Option<u64>) -> Result<(), Failed> {
    match length {
        Some(length) if length != read => Err(Failed {
            error: anyhow::anyhow!("{read} bytes came instead of {length}"),
            again: true,
        }),
        _ => Ok(()),
    }
}

fn content_length<T>(answer: &ureq::http::Response<T>) -> Option<u64> {
    answer.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

fn bare(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let from = text.find(start)? + start.len();
    Some(&text[from..from + text[from..].find(end)?])
}

/// TLS by ring and the system's own roots; no redirect is followed, because it would lead to a host
/// that nobody allowed.
fn agent(secure: bool, timeout: Duration) -> anyhow::Result<Agent> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(guard::CONNECT_SECONDS)))
        .timeout_global(Some(timeout));
    if secure {
        let found = rustls_native_certs::load_native_certs();
        ensure!(!found.certs.is_empty(), "this machine has no trusted certificates");
        let roots: Vec<Certificate> =
            found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        config = config.tls_config(tls).https_only(true);
    }
    Ok(config.build().new_agent())
}

fn key(from: &Credentials, home: &Path) -> anyhow::Result<Option<Key>> {
    match from {
        Credentials::None => Ok(None),
        Credentials::Environment { key_id, secret, token } => {
            let id = Secret::from_env(key_id)?;
            let secret = Secret::from_env(secret)?;
            let token = Secret::from_env(token).ok();
            Ok(Some(signing_key(&id, &secret, token.as_ref())))
        }
        Credentials::File { path, profile } => {
            let path = home.join(path);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the credentials {}", path.display()))?;
            let value = |name: &str| in_profile(&text, profile, name).map(Secret::new);
            let missing = || format!("{} has no key in its section [{profile}]", path.display());
            let id = value("aws_access_key_id").with_context(missing)?;
            let secret = value("aws_secret_access_key").with_context(missing)?;
            Ok(Some(signing_key(&id, &secret, value("aws_session_token").as_ref())))
        }
    }
}

fn signing_key(id: &Secret, secret: &Secret, token: Option<&Secret>) -> Key {
    match token {
        Some(token) => Key::new_with_token(id.reveal(), secret.reveal(), token.reveal()),
        None => Key::new(id.reveal(), secret.reveal()),
    }
}

/// The value of a name in a section of an INI file.
fn in_profile(text: &str, profile: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = section.trim() == profile;
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case(name)
        {
            return Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_a_credentials_file() {
        let text = "[default]\naws_access_key_id = A\n[other]\naws_access_key_id=B\n x = \n";
        assert_eq!(in_profile(text, "default", "aws_access_key_id").as_deref(), Some("A"));
        assert_eq!(in_profile(text, "other", "aws_access_key_id").as_deref(), Some("B"));
        assert_eq!(in_profile(text, "other", "x"), None);
        assert_eq!(in_profile(text, "third", "aws_access_key_id"), None);
    }

    #[test]
    fn a_secret_is_not_in_what_ureq_says() {
        let error = ureq::Error::BadUri("http://x/?X-Amz-Security-Token=hush".to_owned());
        assert!(!told(&error).contains("hush"));
    }
}
