//! A cursor over bytes that nobody vouches for: each step is checked, and none gives back more than is there.

use std::borrow::Cow;

use crate::fault::Fault;

/// The bytes that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn take(&mut self, wanted: usize) -> Result<&'a [u8], Fault> {
        let Some((taken, rest)) = self.rest.split_at_checked(wanted) else {
            return Err(Fault::CutOff { wanted, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Fault::CutOff { wanted: N, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn int16(&mut self) -> Result<i16, Fault> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn int32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn int64(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_be_bytes)
    }

    /// At most `MAX` bytes with seven bits each, the lowest first.
    #[inline]
    fn unsigned<const MAX: u32>(&mut self) -> Result<u64, Fault> {
        if let Some((first, rest)) = self.rest.split_first()
            && *first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_unsigned::<MAX>()
    }

    #[inline]
    fn long_unsigned<const MAX: u32>(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for place in 0..MAX {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::EndlessInteger)
    }

    /// A zigzag integer of at most 64 bits. What does not fit is cut, as Kafka does.
    #[inline]
    pub(crate) fn varlong(&mut self) -> Result<i64, Fault> {
        self.unsigned::<10>().map(unzigzag)
    }

    /// A zigzag integer of at most 35 bits, of which Kafka writes 32.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i64, Fault> {
        self.unsigned::<5>().map(unzigzag)
    }

    /// How many elements, or bytes, follow: never more than bytes are left. None at all counts as 0.
    pub(crate) fn count(&mut self, what: &'static str) -> Result<usize, Fault> {
        let told = self.unsigned::<5>()?;
        let count = usize::try_from(told).unwrap_or(usize::MAX).saturating_sub(1);
        if count > self.left() {
            return Err(Fault::Impossible {
                what,
                value: i64::try_from(count).unwrap_or(i64::MAX),
            });
        }
        Ok(count)
    }

    /// Text behind its length, whose wrong bytes are replaced. None is not empty.
    pub(crate) fn compact_text(
        &mut self,
        what: &'static str,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        let is_none = self.rest.first() == Some(&0);
        let length = self.count(what)?;
        let text = String::from_utf8_lossy(self.take(length)?);
        Ok((!is_none).then_some(text))
    }

    /// Bytes as older versions have them, behind a length of four bytes.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Fault> {
        let length = length_of(what, i64::from(self.int32()?))?;
        self.take(length)
    }

    /// Text as older versions have it, behind a length of two bytes. None is not empty.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<Option<Cow<'a, str>>, Fault> {
        match self.int16()? {
            -1 => Ok(None),
            length => {
                let text = self.take(length_of(what, i64::from(length))?)?;
                Ok(Some(String::from_utf8_lossy(text)))
            }
        }
    }

    /// Hands each of the fields that may follow to `field`, with its number.
    pub(crate) fn tags(
        &mut self,
        mut field: impl FnMut(u64, Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let count = self.unsigned::<5>()?;
        for _ in 0..count {
            let tag = self.unsigned::<5>()?;
            let length = usize::try_from(self.unsigned::<5>()?).unwrap_or(usize::MAX);
            field(tag, Self::new(self.take(length)?))?;
        }
        Ok(())
    }

    /// Passes the fields that may follow.
    pub(crate) fn skip_tags(&mut self) -> Result<(), Fault> {
        self.tags(|_, _| Ok(()))
    }

    /// Bytes behind their length; none if that is −1.
    #[inline]
    pub(crate) fn sized(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, Fault> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.take(length_of(what, length)?).map(Some),
        }
    }
}

/// A length that was read, as one.
#[inline]
pub(crate) fn length_of(what: &'static str, value: i64) -> Result<usize, Fault> {
    usize::try_from(value).map_err(|_| Fault::Impossible { what, value })
}

#[inline]
#[expect(clippy::cast_possible_wrap, reason = "zigzag: the low bit is the sign")]
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_kafka_writes_them() {
        let varlong = |bytes: &[u8]| Reader::new(bytes).varlong();
        assert_eq!(varlong(&[0]), Ok(0));
        assert_eq!(varlong(&[1]), Ok(-1));
        assert_eq!(varlong(&[0x80, 0x01]), Ok(64));
        let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(varlong(&least), Ok(i64::MIN));
        assert_eq!(varlong(&[0x80]), Err(Fault::CutOff { wanted: 1, left: 0 }));
        assert_eq!(varlong(&[0x80; 11]), Err(Fault::EndlessInteger));
        assert_eq!(Reader::new(&[0x80; 6]).varint(), Err(Fault::EndlessInteger));
    }

    #[test]
    fn a_length_that_lies_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.take(4), Err(Fault::CutOff { wanted: 4, left: 3 }));
        assert_eq!(reader.take(usize::MAX), Err(Fault::CutOff { wanted: usize::MAX, left: 3 }));
        assert_eq!(reader.take(3), Ok(&[1, 2, 3][..]));
        let what = "length";
        assert_eq!(Reader::new(&[3]).sized(what), Err(Fault::Impossible { what, value: -2 }));
    }
}
