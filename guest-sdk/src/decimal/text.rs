//! Decimals as text and back.

/// `Display` and `FromStr`.
macro_rules! text {
    ($name:ident, $int:ident, $digits:literal) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let sign = if self.unscaled < 0 { "-" } else { "" };
                let digits = self.unscaled.unsigned_abs();
                if self.scale == 0 {
                    return write!(f, "{sign}{digits}");
                }
                let one = Self::POWERS[self.scale as usize].unsigned_abs();
                let (whole, fraction) = (digits / one, digits % one);
                write!(f, "{sign}{whole}.{fraction:0width$}", width = self.scale as usize)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            /// Takes `-12.34`: digits, optionally a point with digits behind it,
            #[doc = concat!("at most ", $digits, " in all.")]
            fn from_str(text: &str) -> Result<Self, String> {
                let wrong = || {
                    let digits = Self::DIGITS_MAX;
                    format!("`{text}` is not a decimal like `12.34` with at most {digits} digits")
                };
                let digits = text.strip_prefix('-').unwrap_or(text);
                let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
                let all_digits =
                    |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
                if !all_digits(whole) || !all_digits(fraction) {
                    return Err(wrong());
                }
                let fraction = if digits.contains('.') { fraction } else { "" };
                let scale = fraction.len() as u64;
                let sign = if text.starts_with('-') { "-" } else { "" };
                let unscaled: $int =
                    format!("{sign}{whole}{fraction}").parse().map_err(|_| wrong())?;
                if scale > u64::from(Self::DIGITS_MAX) || !Self::fits(unscaled, Self::DIGITS_MAX) {
                    return Err(wrong());
                }
                Ok(Self { unscaled, scale })
            }
        }
    };
}

pub(super) use text;
