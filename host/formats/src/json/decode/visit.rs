//! The visitors: they walk a record as the parser reads it and put the wanted values into their columns.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sonic_rs::LazyValue;

use super::column::{ColumnBuilder, Offer};
use super::reason::{self, Fault};
use super::shape::{FieldIndex, KeyPlace, Shape, Target};

/// Reads one record. If it is no good, says why in `fault`, or by the error alone if it is no JSON.
#[inline]
pub(super) fn parse(
    record: &str,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
    rows: usize,
    fault: &mut Option<Fault>,
) -> sonic_rs::Result<()> {
    let mut parser = sonic_rs::Deserializer::from_str(record);
    let row = Row { shape, columns, rows, fault };
    ObjectSeed { row, object: 0 }.deserialize(&mut parser)?;
    parser.end()
}

/// What a visitor needs to fill one row.
struct Row<'r> {
    shape: &'r mut Shape,
    columns: &'r mut [ColumnBuilder],
    rows: usize,
    fault: &'r mut Option<Fault>,
}

impl Row<'_> {
    fn reborrow(&mut self) -> Row<'_> {
        Row { shape: self.shape, columns: self.columns, rows: self.rows, fault: self.fault }
    }

    /// Notes the fault and stops the parser. The first fault stays.
    #[cold]
    fn fail<E: Error>(&mut self, fault: Fault) -> E {
        self.fault.get_or_insert(fault);
        E::custom("see the fault")
    }

    /// Hands the value of `field` to its target.
    #[inline]
    fn read_value<'de, A: MapAccess<'de>>(
        &mut self,
        object: usize,
        field: FieldIndex,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match self.shape.enter(object, field) {
            Some(&Target::Column(column)) => {
                let column = ColumnSeed { row: self.reborrow(), column };
                if column.row.columns[column.column].wants_text_of_numbers() {
                    let value: LazyValue<'de> = map.next_value()?;
                    column.push_raw(value.as_raw_str())
                } else {
                    map.next_value_seed(column)
                }
            }
            Some(&Target::Raw(column)) => {
                let value: LazyValue<'de> = map.next_value()?;
                ColumnSeed { row: self.reborrow(), column }.push_json(value.as_raw_str())
            }
            Some(&Target::Object(child)) => {
                map.next_value_seed(ObjectSeed { row: self.reborrow(), object: child })
            }
            Some(Target::Several(targets)) => {
                let targets = targets.clone();
                let value: LazyValue<'de> = map.next_value()?;
                targets.iter().try_for_each(|target| self.read_again(target, value.as_raw_str()))
            }
            None => {
                let column = self.shape.first_column(object, field);
                Err(self.fail(Fault::Twice { column }))
            }
        }
    }

    /// Reads the raw text of a value once more, for one of several targets.
    #[cold]
    fn read_again<E: Error>(&mut self, target: &Target, raw: &str) -> Result<(), E> {
        let mut parser = sonic_rs::Deserializer::from_str(raw);
        let done = match target {
            &Target::Column(column) => {
                let seed = ColumnSeed { row: self.reborrow(), column };
                if seed.row.columns[column].wants_text_of_numbers() {
                    return seed.push_raw(raw);
                }
                seed.deserialize(&mut parser)
            }
            &Target::Raw(column) => {
                return ColumnSeed { row: self.reborrow(), column }.push_json(raw);
            }
            &Target::Object(object) => {
                ObjectSeed { row: self.reborrow(), object }.deserialize(&mut parser)
            }
            Target::Several(targets) => {
                return targets.iter().try_for_each(|target| self.read_again(target, raw));
            }
        };
        done.map_err(E::custom)
    }
}

/// Reads an object in which wanted columns lie.
struct ObjectSeed<'r> {
    row: Row<'r>,
    object: usize,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ObjectSeed<'_> {
    #[cold]
    fn refuse<E: Error>(mut self, found: String) -> Result<(), E> {
        let fault = if self.object == 0 {
            Fault::NotAnObject(found)
        } else {
            let column = self.row.shape.first_column_within(self.object);
            Fault::NoObject { column, found }
        };
        Err(self.row.fail(fault))
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut after = KeyPlace::BEGIN;
        loop {
            let key = KeySeed { shape: self.row.shape, object: self.object, after };
            let Some((place, field)) = map.next_key_seed(key)? else { return Ok(()) };
            match field {
                Some(field) => self.row.read_value(self.object, field, &mut map)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
            after = place;
        }
    }

    /// A path may lead through an array: its keys are then the indexes.
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        if self.object == 0 {
            return self.refuse("an array".to_owned());
        }
        let mut index = 0;
        while let Some(value) = seq.next_element::<LazyValue<'de>>()? {
            let field = self.row.shape.field(self.object, &index.to_string());
            let target = field.and_then(|field| self.row.shape.enter(self.object, field)).cloned();
            if let Some(target) = target {
                self.row.read_again(&target, value.as_raw_str())?;
            }
            index += 1;
        }
        Ok(())
    }

    /// `null` where an object is expected: everything below it is missing.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.object == 0 { self.refuse("null".to_owned()) } else { Ok(()) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.refuse(value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.refuse(value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.refuse(value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.refuse(value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.refuse(reason::text(value))
    }
}

/// Reads a key and finds its field.
struct KeySeed<'r> {
    shape: &'r mut Shape,
    object: usize,
    after: KeyPlace,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = (KeyPlace, Option<FieldIndex>);

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = (KeyPlace, Option<FieldIndex>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.shape.find(self.object, self.after, key))
    }
}

/// Reads the value of a column.
struct ColumnSeed<'r> {
    row: Row<'r>,
    column: usize,
}

impl ColumnSeed<'_> {
    /// The column's value from its raw JSON, for columns that want the text of numbers.
    #[inline]
    fn push_raw<E: Error>(self, raw: &str) -> Result<(), E> {
        match raw.as_bytes() {
            [b'-' | b'0'..=b'9', ..] => {
                let offer = self.row.columns[self.column].push_number_text(raw);
                self.settle(offer, || reason::short(raw))
            }
            [b'"', content @ .., b'"'] if !content.contains(&b'\\') => {
                self.push_text(&raw[1..raw.len() - 1])
            }
            [b'"', ..] => match sonic_rs::from_str::<String>(raw) {
                Ok(text) => self.push_text(&text),
                Err(error) => Err(E::custom(error)),
            },
            b"null" => self.push_null(),
            [b'[', ..] => self.settle(Offer::Mismatch, || "an array".to_owned()),
            [b'{', ..] => self.settle(Offer::Mismatch, || "an object".to_owned()),
            _ => self.settle(Offer::Mismatch, || reason::short(raw)),
        }
    }

    /// The column's value is its JSON, if it is good in all its parts: who only skips it does not look at them.
    fn push_json<E: Error>(self, raw: &str) -> Result<(), E> {
        sonic_rs::from_str::<IgnoredAny>(raw).map_err(E::custom)?;
        let offer = self.row.columns[self.column].push_json(raw.as_bytes());
        self.settle(offer, || reason::short(raw))
    }

    #[inline]
    fn push_text<E: Error>(self, text: &str) -> Result<(), E> {
        let offer = self.row.columns[self.column].push_text(text);
        self.settle(offer, || reason::text(text))
    }

    #[inline]
    fn push_null<E: Error>(self) -> Result<(), E> {
        let taken = self.row.columns[self.column].push_null();
        let offer = if taken { Offer::Taken } else { Offer::Mismatch };
        self.settle(offer, || "null".to_owned())
    }

    /// Ends the value: fine, or a fault that shows what was found.
    #[inline]
    fn settle<E: Error>(mut self, offer: Offer, found: impl FnOnce() -> String) -> Result<(), E> {
        match offer {
            Offer::Taken => {
                debug_assert_eq!(self.row.columns[self.column].len(), self.row.rows + 1);
                Ok(())
            }
            Offer::Mismatch => {
                let fault = Fault::Mismatch { column: self.column, found: found() };
                Err(self.row.fail(fault))
            }
            Offer::Unfit(why) => {
                let fault = Fault::Unfit { column: self.column, found: found(), why };
                Err(self.row.fail(fault))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for ColumnSeed<'_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ColumnSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a column")
    }

    #[inline]
    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.push_text(value)
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "a double is what the column asks for")]
        let offer = self.row.columns[self.column].push_float(value as f64);
        self.settle(offer, || value.to_string())
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "a double is what the column asks for")]
        let offer = self.row.columns[self.column].push_float(value as f64);
        self.settle(offer, || value.to_string())
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let offer = self.row.columns[self.column].push_float(value);
        self.settle(offer, || value.to_string())
    }

    #[inline]
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let offer = self.row.columns[self.column].push_bool(value);
        self.settle(offer, || value.to_string())
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push_null()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.settle(Offer::Mismatch, || "an array".to_owned())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.settle(Offer::Mismatch, || "an object".to_owned())
    }
}
