//! Texts that know which of them are equal, and questions that are asked once for all rows that share one.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::column::{Value, text_at};
use crate::{Column, ColumnType, Values};

/// Answers that are remembered. Hosts give a column by code if at least four rows share a value, in calls of 8,192 rows unless
/// told otherwise; beyond that each row is asked.
const ANSWERS_MAX: usize = 2_048;

/// A text of a column in which many rows have the same few values. It reads as the `&str` that it is, and [`PerValue`]
/// asks what it has to ask once for all rows that share it.
///
/// Where the host knows how rows share values, each value crosses into the plugin once. Where it does not, a `Text` is a
/// `&str` and nothing more.
#[derive(Clone, Copy)]
pub struct Text<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Itself(&'a str),
    /// Not cut out of the column before somebody reads it: a question that was answered needs its code only.
    Coded {
        column: u64,
        code: u32,
        offsets: &'a [u32],
        text: &'a str,
    },
}

/// What a plugin wants to know of a text, asked once for each value of a batch.
///
/// Keep one for each question, where the settings are. The answer may depend on the text and on the settings, and on
/// nothing else.
///
/// ```
/// use sluicegate_sdk::prelude::*;
///
/// #[derive(Row)]
/// struct Sale<'a> {
///     store: Text<'a>,
/// }
///
/// struct Settings {
///     prefix: String,
///     is_known: PerValue<bool>,
/// }
///
/// # impl FromConfig for Settings {
/// #     fn from_config(_: &Config) -> Result<Self, String> {
/// #         Ok(Self { prefix: "store-".to_owned(), is_known: PerValue::new() })
/// #     }
/// # }
/// fn known(settings: &Settings, sale: Sale<'_>) -> bool {
///     settings.is_known.of(sale.store, |store| store.starts_with(&settings.prefix))
/// }
///
/// export!(filter: known);
/// # let settings = Settings::from_config(&Config::default()).unwrap();
/// # assert!(known(&settings, Sale { store: "store-1".into() }));
/// ```
pub struct PerValue<T> {
    /// The column whose codes the answers belong to.
    column: Cell<u64>,
    /// By code.
    answers: Box<[Cell<Option<T>>]>,
    /// Behind these there are none.
    used: Cell<usize>,
}

impl<T: Copy> PerValue<T> {
    /// Nothing was asked yet.
    pub fn new() -> Self {
        let answers = (0..ANSWERS_MAX).map(|_| Cell::new(None)).collect();
        Self { column: Cell::new(NO_COLUMN), answers, used: Cell::new(0) }
    }

    /// The answer for a text: that which was given for another row with the same one, if there is one.
    #[inline(always)]
    pub fn of(&self, text: Text<'_>, ask: impl FnOnce(&str) -> T) -> T {
        match text.0 {
            Source::Itself(text) => ask(text),
            Source::Coded { column, code, offsets, text } => match self.known(column, code) {
                Some(answer) => answer,
                None => self.ask(column, code, offsets, text, ask),
            },
        }
    }

    #[inline(always)]
    fn known(&self, column: u64, code: u32) -> Option<T> {
        let answers = if self.column.get() == column { &*self.answers } else { &[] };
        answers.get(code as usize).and_then(Cell::get)
    }

    /// Asks, and remembers the answer. It stands apart, so that what is left for the other rows is small enough to become part
    /// of the loop over them: each would pay for a call. It takes a text in pieces, which stay in registers.
    #[inline(never)]
    fn ask(
        &self,
        column: u64,
        code: u32,
        offsets: &[u32],
        text: &str,
        ask: impl FnOnce(&str) -> T,
    ) -> T {
        if self.column.get() != column {
            self.forget(column);
        }
        self.learn(column, code as usize, ask(text_at(offsets, text, code as usize)))
    }

    /// From now on the answers are those of another column.
    fn forget(&self, column: u64) {
        self.column.set(column);
        self.answers[..self.used.replace(0)].iter().for_each(|answer| answer.set(None));
    }

    fn learn(&self, column: u64, code: usize, answer: T) -> T {
        // The question may have been asked of this very `PerValue` in between.
        if self.column.get() == column
            && let Some(place) = self.answers.get(code)
        {
            place.set(Some(answer));
            self.used.set(self.used.get().max(code + 1));
        }
        answer
    }
}

impl<T: Copy> Default for PerValue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline(always)]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<'a> Text<'a> {
    /// The text, for as long as the batch.
    #[inline(always)]
    pub fn as_str(self) -> &'a str {
        match self.0 {
            Source::Itself(text) => text,
            Source::Coded { code, offsets, text, .. } => text_at(offsets, text, code as usize),
        }
    }
}

/// A text that stands for itself, as in tests.
impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Source::Itself(text))
    }
}

impl PartialEq for Text<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No column has this number.
const NO_COLUMN: u64 = 0;

/// Columns that were read so far, each with a number of its own: codes of two columns, or of one in two calls, have
/// nothing to do with each other.
static COLUMNS: AtomicU64 = AtomicU64::new(NO_COLUMN);

/// A column of texts, by code or as they are.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// Of each row; none if the values are those of the rows.
    codes: Option<&'a [u32]>,
    column: u64,
    offsets: &'a [u32],
    text: &'a str,
}

impl Value for Text<'_> {
    type At<'a> = Text<'a>;
    type Reader<'a> = Texts<'a>;
    const TYPE: ColumnType = ColumnType::Text;

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, _: u8) -> Option<Texts<'a>> {
        match column.values {
            Values::Utf8 { offsets, text } => {
                let offsets = offsets.get(..=rows)?;
                Some(Texts { codes: None, column: NO_COLUMN, offsets, text })
            }
            Values::Coded { codes, offsets, text } => {
                let codes = Some(codes.get(..rows)?);
                let column = COLUMNS.fetch_add(1, Ordering::Relaxed) + 1;
                Some(Texts { codes, column, offsets, text })
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        let Texts { codes, column, offsets, text } = *reader;
        Text(match codes {
            None => Source::Itself(text_at(offsets, text, row)),
            Some(codes) => Source::Coded { column, code: codes[row], offsets, text },
        })
    }
}
