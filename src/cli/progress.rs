//! What long work is doing, on a terminal and nowhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner that names the stage at hand.
pub struct Stages {
    bar: ProgressBar,
}

impl Stages {
    pub fn new() -> Stages {
        if !std::io::stderr().is_terminal() {
            return Stages { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Stages { bar }
    }

    pub fn begin(&self, stage: &str) {
        self.bar.set_message(stage.to_owned());
    }

    /// A line on stderr, above the spinner where there is one.
    pub fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("note: {}", super::text::plain(text)));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
