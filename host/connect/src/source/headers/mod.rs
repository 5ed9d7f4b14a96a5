//! Kafka's headers of the records of a block: a table beside its columns, empty unless a record has any.
//!
//! Only dead letters are written with the headers of their records (docs/design/decisions.md#d14),
//! and which records die is known when librdkafka's messages are long given back. So headers are
//! copied with the values, if the pipeline has a table of dead letters. A record that has none, as
//! most do, costs some 26 ns all the same: librdkafka makes a reader for the count of headers to
//! find that it is 0. To keep the messages until the turn has ended would spare that, and hold all
//! that was fetched in memory twice.

use sluicegate_model::varlen::Varlen;

/// One header as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Text by Kafka's rules; nobody checks.
    pub name: &'a [u8],
    /// None is not the same as empty.
    pub value: Option<&'a [u8]>,
}

/// The headers of a block's records. A record may have several of one name, and their order counts.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// Whose each header is, as an index into the block. Ascending.
    records: Vec<u32>,
    names: Varlen,
    values: Varlen,
    has_value: Vec<bool>,
}

impl Headers {
    /// Appends a header of `record`, which is the last that has any, or lies behind it. Its bytes.
    pub fn push(&mut self, record: usize, header: Header<'_>) -> usize {
        let record = u32::try_from(record).expect("blocks are bounded far below 4 Gi records");
        debug_assert!(self.records.last().is_none_or(|last| *last <= record), "{record} is behind");
        let value = header.value.unwrap_or_default();
        self.records.push(record);
        self.names.push(header.name);
        self.values.push(value);
        self.has_value.push(header.value.is_some());
        header.name.len() + value.len()
    }

    /// Those of one record, in their order.
    pub fn of(&self, record: usize) -> RecordHeaders<'_> {
        let start = self.records.partition_point(|of| (*of as usize) < record);
        let count = self.records[start..].partition_point(|of| *of as usize == record);
        RecordHeaders { headers: self, start, end: start + count }
    }

    fn header(&self, index: usize) -> Header<'_> {
        let value = self.has_value[index].then(|| self.values.value(index));
        Header { name: self.names.value(index), value }
    }
}

/// The headers of one record.
#[derive(Clone, Copy, Debug)]
pub struct RecordHeaders<'a> {
    headers: &'a Headers,
    start: usize,
    end: usize,
}

impl<'a> RecordHeaders<'a> {
    /// Names may repeat; the order is the producer's.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Header<'a>> {
        (self.start..self.end).map(move |index| self.headers.header(index))
    }

    /// Bytes of their names and values.
    pub fn bytes(self) -> usize {
        self.iter().map(|header| header.name.len() + header.value.map_or(0, <[u8]>::len)).sum()
    }
}

#[cfg(test)]
mod tests;
