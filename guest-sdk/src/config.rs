//! The configuration of a stage, as the pipeline file gives it to a plugin.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use crate::DecimalType;

/// Prefix of the keys under which the host gives the scale of decimal inputs.
const SCALE_PREFIX: &str = "decimal-scale:";
/// The same for the precision.
const PRECISION_PREFIX: &str = "decimal-precision:";

/// `config = { … }` of a stage: keys and values.
///
/// Remembers which keys were asked for. A key that nobody asked for is refused with a sentence that names it, so
/// that a typing error in a pipeline file does not pass as a default.
#[derive(Debug, Default)]
pub struct Config {
    // A handful of keys: a search from the front is quicker than a map, and 10 KB smaller in every plugin.
    values: Vec<(String, String)>,
    asked: RefCell<Vec<&'static str>>,
}

/// Settings of a filter or map, made once per instance. `()` stands for a plugin without settings.
pub trait FromConfig: Sized + Send + 'static {
    /// Reads and checks. An error refuses the activation: name the key, its value and what would be right.
    fn from_config(config: &Config) -> Result<Self, String>;
}

impl FromConfig for () {
    fn from_config(_: &Config) -> Result<Self, String> {
        Ok(())
    }
}

impl Config {
    /// A configuration, for tests and hosts.
    pub fn new<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { values, asked: RefCell::default() }
    }

    /// The value of a key; none if the pipeline does not give it.
    pub fn get(&self, key: &'static str) -> Option<&str> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key that must be there.
    pub fn require(&self, key: &'static str) -> Result<&str, String> {
        self.get(key).ok_or_else(|| format!("configuration lacks `{key}`"))
    }

    /// The value of a key as a number or another type that is read from text; `default` if the key is not there.
    pub fn parse_or<T>(&self, key: &'static str, default: T) -> Result<T, String>
    where
        T: FromStr<Err: Display>,
    {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.parse().map_err(|why| format!("configuration `{key}` is `{value}`: {why}"))
    }

    /// The digits of a decimal input, in the pipeline's schema: those behind the point, and in all.
    pub fn decimal_digits(&self, column: &str) -> Result<DecimalType, String> {
        let scale = self.digits(SCALE_PREFIX, column)?;
        let scale = scale.ok_or_else(|| format!("configuration lacks `{SCALE_PREFIX}{column}`"))?;
        // A host that does not tell has no column with more.
        let precision = self.digits(PRECISION_PREFIX, column)?.unwrap_or(18);
        Ok(DecimalType { precision, scale })
    }

    fn digits(&self, prefix: &str, column: &str) -> Result<Option<u8>, String> {
        let key = format!("{prefix}{column}");
        let Some(value) = self.find(&key) else { return Ok(None) };
        let digits = value.parse().ok().filter(|digits| *digits <= 38);
        let wrong = || format!("configuration `{key}` is `{value}`: not a number from 0 to 38");
        digits.map(Some).ok_or_else(wrong)
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn refuse_unknown(&self) -> Result<(), String> {
        const FIX: &str = "take the key out of the stage's `config`, or let the plugin ask for it";
        let asked = self.asked.borrow();
        let of_host =
            |key: &str| key.starts_with(SCALE_PREFIX) || key.starts_with(PRECISION_PREFIX);
        let known = |key: &str| of_host(key) || asked.contains(&key);
        let Some((key, _)) = self.values.iter().find(|(key, _)| !known(key)) else { return Ok(()) };
        if asked.is_empty() {
            return Err(format!("configuration has `{key}`, but this plugin takes none: {FIX}"));
        }
        let names: Vec<_> = asked.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        Err(format!("configuration has `{key}`, but this plugin knows only {names}: {FIX}"))
    }
}
