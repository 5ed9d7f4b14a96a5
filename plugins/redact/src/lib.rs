//! Hides what a text column says but for its first characters: `Anna` becomes `A***`
//! (`config = { keep = "1" }`; nothing is kept if it is not given).
//!
//! Teaches: a map that changes one column and keeps the others; `#[column(name = …)]`; an output built in memory of
//! its own, which is one short allocation a row.

use sluicegate_sdk::prelude::*;

/// What it reads.
#[derive(Row)]
pub struct Open<'a> {
    #[column(name = "city")]
    text: Option<&'a str>,
}

/// What it makes: it takes the place of the column with the same name.
#[derive(OutputRow)]
pub struct Redacted {
    #[column(name = "city")]
    text: Option<String>,
}

/// What the pipeline file says.
pub struct Settings {
    keep: usize,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self { keep: config.parse_or("keep", 0)? })
    }
}

fn redact(settings: &Settings, open: Open<'_>, out: &mut Emit<Redacted>) {
    let hide = |(index, letter)| if index < settings.keep { letter } else { '*' };
    let text = open.text.map(|text| text.chars().enumerate().map(hide).collect());
    out.push(Redacted { text });
}

export!(map: redact);

#[cfg(test)]
mod tests;
