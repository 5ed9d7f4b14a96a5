//! Writes batches as a broker sends them, and as none should.

use std::io::Write;

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Written {
    pub(crate) fn new(offset: i64, value: &[u8]) -> Self {
        let value = Some(value.to_vec());
        Self { offset, timestamp: 1_000 + offset, key: None, value, headers: Vec::new() }
    }
}

/// A batch to be written.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) base: i64,
    pub(crate) last: i64,
    pub(crate) attributes: i16,
    pub(crate) producer: i64,
    pub(crate) records: Vec<Written>,
    pub(crate) count: Option<i32>,
    /// Behind the last record.
    pub(crate) remains: Vec<u8>,
}

pub(crate) const SNAPPY_OF_JAVA: i16 = 0x100;
pub(crate) const TRANSACTIONAL: i16 = 16;
pub(crate) const CONTROL: i16 = 32;

impl Batch {
    pub(crate) fn of(records: Vec<Written>) -> Self {
        let base = records.first().map_or(0, |record| record.offset);
        let last = records.last().map_or(0, |record| record.offset);
        let (count, remains) = (None, Vec::new());
        Self { base, last, attributes: 0, producer: -1, records, count, remains }
    }

    pub(crate) fn by(self, producer: i64, attributes: i16) -> Self {
        Self { producer, attributes, ..self }
    }

    /// The mark at the end of a transaction.
    pub(crate) fn mark(offset: i64, producer: i64, kind: i16) -> Self {
        let mut record = Written::new(offset, &[0; 6]);
        record.key = Some([0_i16.to_be_bytes(), kind.to_be_bytes()].concat());
        Self::of(vec![record]).by(producer, TRANSACTIONAL | CONTROL)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        for record in &self.records {
            let body = record.body(self.base);
            long(&mut plain, i64::try_from(body.len()).unwrap());
            plain.extend(body);
        }
        plain.extend(&self.remains);
        let mut checked = (self.attributes & 0xff).to_be_bytes().to_vec();
        checked.extend(i32::try_from(self.last - self.base).unwrap().to_be_bytes());
        let newest = self.records.iter().map(|record| record.timestamp).max();
        checked.extend(BASE_TIMESTAMP.to_be_bytes());
        checked.extend(newest.unwrap_or(-1).to_be_bytes());
        checked.extend(self.producer.to_be_bytes());
        checked.extend([0, 0, 0, 0, 0, 0]);
        let count = i32::try_from(self.records.len()).unwrap();
        checked.extend(self.count.unwrap_or(count).to_be_bytes());
        checked.extend(pack(self.attributes, &plain));
        let mut bytes = self.base.to_be_bytes().to_vec();
        bytes.extend(i32::try_from(checked.len() + 9).unwrap().to_be_bytes());
        bytes.extend(7_i32.to_be_bytes());
        bytes.push(2);
        bytes.extend(crc32c::crc32c(&checked).to_be_bytes());
        bytes.extend(checked);
        bytes
    }
}

const BASE_TIMESTAMP: i64 = 1_000;

impl Written {
    fn body(&self, base: i64) -> Vec<u8> {
        let mut body = vec![0];
        long(&mut body, self.timestamp - BASE_TIMESTAMP);
        long(&mut body, self.offset - base);
        sized(&mut body, self.key.as_deref());
        sized(&mut body, self.value.as_deref());
        long(&mut body, i64::try_from(self.headers.len()).unwrap());
        for (name, value) in &self.headers {
            sized(&mut body, Some(name));
            sized(&mut body, value.as_deref());
        }
        body
    }
}

fn sized(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    long(into, bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap()));
    into.extend(bytes.unwrap_or_default());
}

fn long(into: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        into.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    into.push(u8::try_from(rest).unwrap());
}

fn pack(attributes: i16, plain: &[u8]) -> Vec<u8> {
    match attributes & 7 {
        1 => {
            let mut into = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            into.write_all(plain).unwrap();
            into.finish().unwrap()
        }
        2 if attributes & SNAPPY_OF_JAVA != 0 => {
            let mut into = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for chunk in plain.chunks(50) {
                let packed = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                into.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
                into.extend(packed);
            }
            into
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        3 => {
            let mut into = lz4_flex::frame::FrameEncoder::new(Vec::new());
            into.write_all(plain).unwrap();
            into.finish().unwrap()
        }
        4 => zstd::stream::encode_all(plain, 1).unwrap(),
        _ => plain.to_vec(),
    }
}
