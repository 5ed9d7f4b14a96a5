//! A sale as the key and the JSON value of a record.

use super::{Defect, Sale};
use crate::event::{Event, TimeUnit, write_number, write_price};

impl Event for Sale {
    /// The name of the store.
    fn write_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.is_kiosk { b"kiosk-" } else { b"store-" });
        write_number(u64::from(self.store), out);
    }

    /// `{"store":"store-7","item":"item-3","price":4.20,"ts":1795258807}`.
    fn write_value(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        let begin = out.len();
        match self.defect {
            None => self.write_fields(unit, out),
            Some(Defect::Truncated) => {
                self.write_fields(unit, out);
                let half = (out.len() - begin) / 2;
                out.truncate(begin + half);
            }
            Some(Defect::NoTime) => {
                self.write_store(out);
                self.write_item_and_price(out);
                out.push(b'}');
            }
            Some(Defect::WordAsTime) => {
                self.write_store(out);
                self.write_item_and_price(out);
                out.extend_from_slice(b",\"ts\":\"yesterday\"}");
            }
            Some(Defect::WordAsPrice) => {
                self.write_store(out);
                out.extend_from_slice(b",\"price\":\"cheap\"");
                self.write_time(unit, out);
            }
            Some(Defect::NoObject) => {
                out.extend_from_slice(b"[\"");
                self.write_key(out);
                out.extend_from_slice(b"\",");
                write_price(self.price_hundredths, out);
                out.push(b']');
            }
            Some(Defect::NoUtf8) => {
                out.extend_from_slice(b"{\"store\":\"\xff\xfe\"");
                self.write_item_and_price(out);
                self.write_time(unit, out);
            }
        }
    }
}

impl Sale {
    fn write_fields(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        self.write_store(out);
        self.write_item_and_price(out);
        self.write_time(unit, out);
    }

    fn write_store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"store\":\"");
        self.write_key(out);
        out.push(b'"');
    }

    fn write_item_and_price(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"item\":\"item-");
        write_number(u64::from(self.item), out);
        out.extend_from_slice(b"\",\"price\":");
        write_price(self.price_hundredths, out);
    }

    fn write_time(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"ts\":");
        unit.write(self.time_micros, out);
        out.push(b'}');
    }
}
