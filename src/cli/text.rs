//! Tables and emphasis for a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Prints text to stdout. A reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints a report as JSON.
pub fn print_json(report: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(report)? + "\n"))
}

/// Emphasis, or nothing where stdout is no terminal or the user asked for none (NO_COLOR).
#[derive(Clone, Copy)]
pub struct Style {
    on: bool,
}

impl Style {
    pub fn of_stdout() -> Style {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Style { on: io::stdout().is_terminal() && !refused && !dumb }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub fn alarm(self, text: &str) -> String {
        self.wrap("31", text)
    }
}

/// Without what would move the cursor or colour the screen: names come from files.
pub fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign }).collect()
}

/// Terminal cells of a text: two for East Asian wide signs, none for combining ones
/// (Unicode UAX #11, by blocks).
pub fn width(text: &str) -> usize {
    text.chars().map(sign_width).sum()
}

fn sign_width(sign: char) -> usize {
    match u32::from(sign) {
        0x0300..=0x036F | 0x200B..=0x200F | 0x20D0..=0x20FF | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0x33FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xA000..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// At most `cells` wide; what is cut ends in `…`.
pub fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    for sign in text.chars() {
        if used + sign_width(sign) + 1 > cells {
            break;
        }
        used += sign_width(sign);
        short.push(sign);
    }
    short.push('…');
    short
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Columns as wide as their widest cell, `limit` at most.
pub struct Table {
    columns: Vec<(&'static str, Align, usize)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: &[(&'static str, Align, usize)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Every line indented by `indent` cells, the header in strong type.
    pub fn render(&self, style: Style, indent: usize) -> String {
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                row.iter()
                    .zip(&self.columns)
                    .map(|(cell, &(_, _, limit))| shorten(&plain(cell), limit))
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(n, &(title, ..))| {
                let widest = cells.iter().map(|row| width(&row[n])).max().unwrap_or(0);
                widest.max(width(title))
            })
            .collect();
        let line = |row: &[String]| {
            let mut text = " ".repeat(indent);
            for (n, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[n] - width(cell));
                let gap = if n + 1 == row.len() { "" } else { "  " };
                let _ = match self.columns[n].1 {
                    Align::Left => write!(text, "{cell}{pad}{gap}"),
                    Align::Right => write!(text, "{pad}{cell}{gap}"),
                };
            }
            text.trim_end().to_owned()
        };
        let titles: Vec<String> =
            self.columns.iter().map(|&(title, ..)| title.to_owned()).collect();
        let mut text = style.strong(&line(&titles)) + "\n";
        for row in &cells {
            text.push_str(&line(row));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_signs_take_two_cells() {
        for (text, cells) in [("tea", 3), ("绿茶", 4), ("é", 1), ("e\u{301}", 1), ("ｱ", 1)] {
            assert_eq!(width(text), cells, "{text}");
        }
        for (text, cells, short) in [
            ("绿茶500g", 5, "绿茶…"),
            ("green tea", 6, "green…"),
            ("茶", 2, "茶"),
            ("茶叶", 3, "茶…"),
        ] {
            assert_eq!(shorten(text, cells), short);
        }
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&[("item", Align::Left, 20), ("qty", Align::Right, 10)]);
        table.row(vec!["绿茶".into(), "12".into()]);
        table.row(vec!["a\x1b[31mb".into(), "1,200".into()]);
        let text = table.render(Style { on: false }, 0);
        assert_eq!(
            text, "item       qty\n绿茶        12\na\u{fffd}[31mb  1,200\n",
            "every line is fourteen cells wide; the wide signs take two each"
        );
    }
}
