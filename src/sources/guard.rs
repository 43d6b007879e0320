//! Which hosts a source may ask: those of its list, and never an address of the link itself, where
//! clouds keep the credentials of their machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Until a host accepts a connection.
pub const CONNECT_SECONDS: u64 = 10;

/// Addresses at which clouds answer with credentials, beside those of the link.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

fn blocked(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_unspecified() || METADATA.contains(&IpAddr::V4(v4))
        }
        IpAddr::V6(v6) => {
            let link_local = v6.segments()[0] & 0xffc0 == 0xfe80;
            link_local || v6.is_unspecified() || METADATA.contains(&IpAddr::V6(v6))
        }
    }
}

/// The addresses of a host that may be asked.
///
/// # Errors
/// The host is not on the list, has no address, or one that is of no host on a network.
pub fn resolve(host: &str, port: u16, allowed: &[String]) -> anyhow::Result<Vec<SocketAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ensure!(
        allowed.is_empty() || allowed.iter().any(|one| one.eq_ignore_ascii_case(host)),
        "the host {host} is not among the source's `hosts`: {}",
        allowed.join(", ")
    );
    let found: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("cannot find the host {host}"))?
        .collect();
    ensure!(!found.is_empty(), "the host {host} has no address");
    for address in &found {
        ensure!(
            !blocked(address.ip()),
            "the host {host} is at {}, a link-local or metadata address, which no source may ask",
            address.ip()
        );
    }
    Ok(found)
}

/// Whether a host answers at all, within ten seconds.
///
/// # Errors
/// As [`resolve`], and when no address accepts a connection in time.
pub fn reach(host: &str, port: u16, allowed: &[String]) -> anyhow::Result<()> {
    let mut last = None;
    for address in resolve(host, port, allowed)? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(CONNECT_SECONDS)) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    anyhow::bail!("cannot connect to {host}:{port}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_link_are_never_asked() {
        let cases = [
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("fe80::1", true),
            ("febf::1", true),
            ("::ffff:169.254.169.254", true),
            ("fd00:ec2::254", true),
            ("100.100.100.200", true),
            ("0.0.0.0", true),
            ("::", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("10.0.0.7", false),
            ("fec0::1", false),
            ("192.168.1.1", false),
        ];
        for (text, want) in cases {
            let address: IpAddr = text.parse().expect(text);
            assert_eq!(blocked(address), want, "{text}");
            assert_eq!(resolve(text, 5432, &[]).is_err(), want, "{text}");
        }
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let allowed = ["db.example.com".to_owned(), "127.0.0.1".to_owned()];
        assert!(resolve("127.0.0.1", 5432, &allowed).is_ok());
        let error = resolve("127.0.0.2", 5432, &allowed).expect_err("not on the list");
        assert!(error.to_string().contains("db.example.com, 127.0.0.1"), "{error}");
    }
}
