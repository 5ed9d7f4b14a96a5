//! Names that nobody else has.

use std::fmt;
use std::sync::Arc;

/// Gives names that no other call ever gave or gives. Clones are the same giver.
#[derive(Clone, Default)]
pub struct Names {
    /// 128 bits a call; none for the system's random numbers.
    bits: Option<Arc<dyn Fn() -> u128 + Send + Sync>>,
}

impl Names {
    /// From the random numbers of the system.
    pub fn random() -> Self {
        Self::default()
    }

    /// From bits that the caller has, which must differ from call to call.
    pub fn from_bits(bits: impl Fn() -> u128 + Send + Sync + 'static) -> Self {
        Self { bits: Some(Arc::new(bits)) }
    }

    /// The next one: 32 hex digits.
    pub fn next(&self) -> String {
        match &self.bits {
            None => uuid::Uuid::new_v4().simple().to_string(),
            Some(bits) => format!("{:032x}", bits()),
        }
    }

    /// The next one: 12 hex digits, of 48 random bits.
    pub fn next_short(&self) -> String {
        let mut name = self.next();
        name.truncate(12);
        name
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.bits.is_some() { "Names(given)" } else { "Names(random)" })
    }
}
