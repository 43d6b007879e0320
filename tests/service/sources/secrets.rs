//! No secret is ever shown: not in what the program prints, not in its logs at the level that says
//! most, not in the database.

use super::home::Home;
use super::server;

/// In its plain and in its encoded form.
const SECRET: &str = "hUsh/hUsh@42";
const ENCODED: &str = "hUsh%2FhUsh%4042";

fn query(home: &Home, place: &str) {
    home.job(&format!(
        "[[sources]]\nname = \"erp\"\nkind = \"sales\"\nquery = {{ {place}, sql = \"SELECT 1 AS qty\" }}\n"
    ));
}

/// Runs a pull with every log on, and looks for the secret in all that it leaves behind.
fn check(home: &Home, environment: &[(&str, &str)], what: &str) -> String {
    let mut environment = environment.to_vec();
    environment.push(("GRANARY_LOG", "trace"));
    environment.push(("RUST_BACKTRACE", "1"));
    let pulled = home.pull_with(&["--accept-schema"], &environment);
    assert_ne!(pulled.code, 0, "{what} should fail: {}", pulled.stdout);
    for secret in [SECRET, ENCODED, "hUsh"] {
        assert!(!pulled.stdout.contains(secret), "{what}: stdout has it: {}", pulled.stdout);
        assert!(!pulled.stderr.contains(secret), "{what}: stderr has it: {}", pulled.stderr);
        for entry in std::fs::read_dir(home.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !path.ends_with("secret") {
                let bytes = std::fs::read(&path).expect("a file");
                let found = bytes.windows(secret.len()).any(|some| some == secret.as_bytes());
                assert!(!found, "{what}: {} has it", path.display());
            }
        }
    }
    pulled.stderr
}

#[test]
fn connections_that_fail_do_not_tell_their_passwords() {
    let urls = [
        format!("postgres://me:{ENCODED}@127.0.0.1:1/db"),
        format!("postgres://me@127.0.0.1:1/db?password={ENCODED}"),
        format!("mysql://me:{ENCODED}@127.0.0.1:1/db"),
        format!("postgres://me:{ENCODED}@169.254.169.254/db"),
        format!("mysql://me:{ENCODED}@[fe80::1]/db"),
        format!("postgres://me:{ENCODED}@host.invalid/db"),
        format!("postgres://me:{ENCODED}@127.0.0.1:notaport/db"),
        format!("oracle://me:{ENCODED}@127.0.0.1/db"),
        format!("me:{SECRET}"),
        format!("postgres://me:{ENCODED}@127.0.0.1:1/db?sslmode={ENCODED}"),
        format!("mysql://me:{ENCODED}@127.0.0.1:1/db?ssl-mode={ENCODED}"),
        format!("sqlite:/nowhere/{ENCODED}.db?mode={ENCODED}"),
    ];
    for url in urls {
        let home = Home::new();
        query(&home, "url_env = \"UPSTREAM\"");
        check(&home, &[("UPSTREAM", &url)], &url);
        home.write("secret", format!("{url}\n"));
        query(&home, "url_file = \"../secret\"");
        check(&home, &[], &url);
    }
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let Some(postgres) = server::postgres("right") else { return };
    let home = Home::new();
    query(&home, "url_env = \"UPSTREAM\"");
    let url = postgres.url.replace(":right@", &format!(":{ENCODED}@"));
    let said = check(&home, &[("UPSTREAM", &url)], "a wrong password");
    assert!(said.contains("password authentication failed"), "{said}");
    // A server may give a secret back in an error of its own.
    home.job(
        "[[sources]]\nname = \"erp\"\nkind = \"sales\"\n[sources.query]\nurl_env = \"UPSTREAM\"\n\
         sql = \"SELECT CAST(current_setting('granary.said') AS integer) AS qty\"\n",
    );
    let url = format!(
        "{}&options=-c%20granary.said%3D{ENCODED}&password={ENCODED}",
        postgres.url.replace(":right@", "@")
    );
    check(&home, &[("UPSTREAM", &url)], "an error that repeats it");
}

#[test]
fn a_key_of_a_bucket_is_not_told() {
    let home = Home::new();
    home.job(
        "[[sources]]\nname = \"lake\"\nkind = \"sales\"\ns3 = { bucket = \"b\", \
         endpoint = \"http://127.0.0.1:1\", region = \"r\" }\n",
    );
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", SECRET),
    ];
    let said = check(&home, &environment, "a bucket");
    assert!(said.contains("cannot list b/"), "{said}");
}
