//! The text of a pipeline file with the place of every key, so that a message can name its line and `[schema]`
//! keeps the order of the file.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed file that knows where its keys stand.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

/// The path of a key: `window.size`, `stages[1].id`. Empty: the file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Name(String),
    Index(usize),
}

impl Key {
    /// The key `name` at the top of the file.
    pub(crate) fn top(name: &str) -> Self {
        Self::default().child(name)
    }

    /// The key `name` in this table.
    pub(crate) fn child(&self, name: &str) -> Self {
        let mut path = self.0.clone();
        path.push(Segment::Name(name.to_owned()));
        Self(path)
    }

    /// Element `index` of this array.
    pub(crate) fn element(&self, index: usize) -> Self {
        let mut path = self.0.clone();
        path.push(Segment::Index(index));
        Self(path)
    }

    /// Whether it is the file as a whole.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Name(name) if is_bare(name) => {
                    write!(f, "{}{name}", if depth == 0 { "" } else { "." })?;
                }
                Segment::Name(name) => write!(f, "{}{name:?}", if depth == 0 { "" } else { "." })?,
            }
        }
        Ok(())
    }
}

/// Whether TOML takes the key without quotes.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl<'t> Document<'t> {
    /// Parses TOML.
    ///
    /// # Errors
    /// The first thing that is no TOML: its line and what was expected there.
    pub(crate) fn parse(text: &'t str) -> Result<Self, (usize, String)> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                Err((line_at(text, at), error.message().replace('\n', ", ")))
            }
        }
    }

    /// The tables of the file.
    pub(crate) fn root(&self) -> &DeTable<'t> {
        self.root.get_ref()
    }

    /// The table at this key; none if there is none.
    pub(crate) fn table(&self, key: &Key) -> Option<&DeTable<'t>> {
        let mut table = Some(self.root());
        let mut value = None;
        for segment in &key.0 {
            let inner = match segment {
                Segment::Name(name) => table?.get(name.as_str())?,
                Segment::Index(index) => {
                    let array: &DeValue<'t> = value?;
                    array.get(*index)?
                }
            };
            value = Some(inner.get_ref());
            table = inner.get_ref().as_table();
        }
        table
    }

    /// The line, from 1, of a key; of the nearest table around it if it is not there.
    pub(crate) fn line_of(&self, key: &Key) -> usize {
        let mut line = 1;
        let mut table = Some(self.root());
        let mut value: Option<&Spanned<DeValue<'_>>> = None;
        for segment in &key.0 {
            let found = match segment {
                Segment::Name(name) => table
                    .and_then(|table| table.get_key_value(name.as_str()))
                    .map(|(key, value)| (key.span(), value)),
                Segment::Index(index) => value
                    .and_then(|value| value.get_ref().get(*index))
                    .map(|element| (element.span(), element)),
            };
            let Some((span, inner)) = found else { break };
            line = line_at(self.text, span.start);
            table = inner.get_ref().as_table();
            value = Some(inner);
        }
        line
    }

    /// The innermost key at a place in the text, as serde names it. The root if none is there.
    pub(crate) fn key_at(&self, span: &Range<usize>) -> Key {
        key_in_table(self.root(), &Key::default(), span).unwrap_or_default()
    }

    /// The keys of a top-level table in the order of the file. Empty if there is no such table.
    pub(crate) fn keys_in_order(&self, table: &str) -> Vec<String> {
        let Some(table) = self.root().get(table).and_then(|value| value.get_ref().as_table())
        else {
            return Vec::new();
        };
        let mut keys: Vec<_> =
            table.keys().map(|key| (key.span().start, key.get_ref().to_string())).collect();
        keys.sort();
        keys.into_iter().map(|(_, key)| key).collect()
    }
}

/// The span of a table is its header only, so every table is looked into.
fn key_in_table(table: &DeTable<'_>, key: &Key, span: &Range<usize>) -> Option<Key> {
    table.iter().find_map(|(name, value)| {
        let inner = key.child(name.get_ref());
        key_in_value(value, &inner, span).or_else(|| covers(&name.span(), span).then_some(inner))
    })
}

fn key_in_value(value: &Spanned<DeValue<'_>>, key: &Key, span: &Range<usize>) -> Option<Key> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => key_in_table(table, key, span),
        DeValue::Array(elements) => elements
            .iter()
            .enumerate()
            .find_map(|(index, element)| key_in_value(element, &key.element(index), span)),
        _ => None,
    };
    inner.or_else(|| covers(&value.span(), span).then(|| key.clone()))
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The line, from 1, of a byte of the text.
pub(crate) fn line_at(text: &str, byte: usize) -> usize {
    let before = &text.as_bytes()[..byte.min(text.len())];
    1 + before.iter().filter(|b| **b == b'\n').count()
}
