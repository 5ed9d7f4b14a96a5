//! Values that stand in quotes: texts, and what columns of other kinds take from them.

use super::super::moment::{day, moment};
use super::super::number;
use super::super::text;
use super::arena::Arena;
use super::{ColumnBuilder, Offer, Values};
use sluicegate_model::schema::ColumnType;

impl ColumnBuilder {
    /// A value as it stands in the record, for a column that wants it so.
    pub(in super::super) fn push_json(&mut self, raw: &[u8]) -> Offer {
        match raw {
            b"null" if self.push_null() => Offer::Taken,
            b"null" => Offer::Mismatch,
            _ if self.push_bytes(raw) => Offer::Taken,
            _ => Offer::Mismatch,
        }
    }

    /// What stands between the quotes of a text without escapes. False if it does not fit as it stands.
    pub(in super::super) fn push_quoted(&mut self, text: &[u8]) -> bool {
        self.push_bytes(text)
            || str::from_utf8(text).is_ok_and(|text| self.push_text(text).is_taken())
    }

    /// A text that is part of one whose UTF-8 was checked. False: the column has no texts.
    fn push_bytes(&mut self, text: &[u8]) -> bool {
        match &mut self.values {
            Values::Text(texts) => texts.push(text),
            Values::Coded(texts) => {
                if !texts.push(text) {
                    self.end_codes().push(text);
                }
            }
            _ => return false,
        }
        true
    }

    /// The rows have too many texts to be coded: they have them one by one from now on.
    #[cold]
    pub(super) fn end_codes(&mut self) -> &mut Arena {
        let coded = std::mem::replace(&mut self.values, Values::new(self.kind));
        let Values::Coded(coded) = coded else { unreachable!("it is asked of coded texts") };
        self.values = Values::Text(self.coding.get_or_insert_default().give_up(coded));
        match &mut self.values {
            Values::Text(texts) => texts,
            _ => unreachable!("they were put there"),
        }
    }

    /// The content of a string.
    #[inline]
    pub(in super::super) fn push_text(&mut self, text: &str) -> Offer {
        if self.push_bytes(text.as_bytes()) {
            return Offer::Taken;
        }
        match (&mut self.values, self.kind) {
            (_, ColumnType::Decimal { precision, scale }) => {
                self.push_decimal(text.as_bytes(), precision, scale)
            }
            (Values::Int64(values), ColumnType::Timestamp(encoding))
                if encoding.digits().is_none() =>
            {
                match moment(text, encoding, &self.form) {
                    Ok(micros) => values.push(micros),
                    Err(why) => return Offer::Unfit(why),
                }
                Offer::Taken
            }
            (Values::Date(values), _) => {
                match day(text, &self.form) {
                    Ok(days) => values.push(days),
                    Err(why) => return Offer::Unfit(why),
                }
                Offer::Taken
            }
            (Values::Int64(_), _) if self.form.quoted => self.push_number_text(text),
            (Values::Float64(values), _) if self.form.quoted => match number::float(text) {
                Some(value) => {
                    values.push(value);
                    Offer::Taken
                }
                None => Offer::Mismatch,
            },
            _ => self.in_quotes(text),
        }
    }

    /// The text of a column of texts that is the first `length` bytes of `chunk`, at most fifteen. False: it has no texts.
    #[inline(always)]
    pub(in super::super) fn push_short_text(&mut self, chunk: &[u8; 16], length: usize) -> bool {
        match &mut self.values {
            Values::Text(texts) => texts.push_short(chunk, length),
            Values::Coded(texts) => {
                if !texts.push_short(chunk, length) {
                    self.end_codes().push_short(chunk, length);
                }
            }
            _ => return false,
        }
        true
    }

    /// The text of a column of texts that begins at `at` and has escapes. Where it ends; None if it has no texts, or
    /// the parser has to judge one of the escapes.
    pub(in super::super) fn push_escaped_text(
        &mut self,
        record: &[u8],
        at: usize,
    ) -> Option<usize> {
        if let Values::Text(texts) = &mut self.values {
            let end = text::unescape(record, at, &mut texts.bytes)?;
            texts.end_text();
            return Some(end);
        }
        let mut text = std::mem::take(&mut self.unescaped);
        text.clear();
        let end = text::unescape(record, at, &mut text).filter(|_| self.push_bytes(&text));
        self.unescaped = text;
        end
    }

    /// A text where a number is wanted.
    #[cold]
    fn in_quotes(&self, text: &str) -> Offer {
        let is_number = match (&self.values, self.kind) {
            (Values::Float64(_), _) => number::float(text).is_some(),
            (Values::Int64(_), ColumnType::Timestamp(encoding)) => encoding
                .digits()
                .is_some_and(|digits| number::micros(text.as_bytes(), digits).is_ok()),
            (Values::Int64(_), ColumnType::Int64) => number::integer(text.as_bytes()).is_ok(),
            _ => false,
        };
        match is_number {
            true => Offer::Unfit("a number in quotes, which `quoted = true` takes"),
            false => Offer::Mismatch,
        }
    }
}
