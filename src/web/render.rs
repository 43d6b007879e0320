//! Templates and the words and numbers they may use. Everything they print is escaped.

use std::sync::Arc;

use granary_models::finding::Code;
use minijinja::{AutoEscape, Environment, Value};

use crate::export::format;

const TEMPLATES: [(&str, &str); 10] = [
    ("base.html", include_str!("templates/base.html")),
    ("plan.html", include_str!("templates/plan.html")),
    ("sku.html", include_str!("templates/sku.html")),
    ("what_if.html", include_str!("templates/what_if.html")),
    ("what_if_form.html", include_str!("templates/what_if_form.html")),
    ("findings.html", include_str!("templates/findings.html")),
    ("jobs.html", include_str!("templates/jobs.html")),
    ("empty.html", include_str!("templates/empty.html")),
    ("message.html", include_str!("templates/message.html")),
    ("login.html", include_str!("templates/login.html")),
];

/// The templates, parsed once. They are part of the program, so a fault in one is an error at the
/// start of the server and in the first test.
pub fn environment() -> Result<Arc<Environment<'static>>, minijinja::Error> {
    let mut templates = Environment::new();
    // Not by the file's name: nothing here may ever be printed raw by a slip in a name.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        templates.add_template(name, source)?;
    }
    templates.add_filter("qty", format::quantity);
    templates.add_filter("real", format::real_quantity);
    templates.add_filter("money", |minor: i64, currency: &str| format::money(minor, currency));
    templates.add_filter("grouped", |number: i64| format::grouped(number, 0));
    templates.add_filter("percent", format::percent);
    templates.add_filter("urlpart", |text: &str| url_part(text));
    templates.add_filter("words", |text: &str| text.replace('_', " "));
    templates.add_filter("weekday", weekday);
    templates.add_filter("meaning", |code: &str| Code::parse(code).map_or("", Code::explain));
    templates.add_filter("json", |value: Value| serde_json::to_string(&value).unwrap_or_default());
    Ok(Arc::new(templates))
}

/// `Monday 20 October 2025`; what is no date stays as it is.
fn weekday(text: &str) -> String {
    text.parse::<chrono::NaiveDate>()
        .map_or_else(|_| text.to_owned(), |date| date.format("%A %-d %B %Y").to_string())
}

/// One segment of a path or one value of a query: everything but RFC 3986's unreserved signs is
/// percent-encoded.
pub fn url_part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                part.push(char::from(byte));
            }
            _ => part.push_str(&format!("%{byte:02X}")),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parse() {
        environment().expect("templates are part of the program");
    }

    #[test]
    fn any_id_is_one_segment() {
        for (text, part) in [("00123", "00123"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("茶", "%E8%8C%B6")]
        {
            assert_eq!(url_part(text), part);
        }
    }
}
