//! Comparison of decimals by value: with each other, with integers, and of both lengths.

/// Order and equality by value.
macro_rules! ordering {
    ($name:ident) => {
        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                if self.scale == other.scale || self.unscaled == 0 || other.unscaled == 0 {
                    self.unscaled.cmp(&other.unscaled)
                } else if self.scale < other.scale {
                    self.cmp_finer(*other)
                } else {
                    other.cmp_finer(*self).reverse()
                }
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $name {}
    };
}

/// Comparisons with types that it is made `from`.
macro_rules! compared {
    ($name:ident with $($other:ident)*) => {$(
        impl PartialEq<$other> for $name {
            #[inline]
            fn eq(&self, other: &$other) -> bool {
                *self == Self::from(*other)
            }
        }

        impl PartialOrd<$other> for $name {
            #[inline]
            fn partial_cmp(&self, other: &$other) -> Option<std::cmp::Ordering> {
                self.partial_cmp(&Self::from(*other))
            }
        }

        impl PartialEq<$name> for $other {
            #[inline]
            fn eq(&self, other: &$name) -> bool {
                $name::from(*self) == *other
            }
        }

        impl PartialOrd<$name> for $other {
            #[inline]
            fn partial_cmp(&self, other: &$name) -> Option<std::cmp::Ordering> {
                $name::from(*self).partial_cmp(other)
            }
        }
    )*};
}

/// Conversions from integers and comparisons with them, which are all exact.
macro_rules! integers {
    ($name:ident: $($integer:ident)*) => {
        $(
            impl From<$integer> for $name {
                #[inline]
                fn from(value: $integer) -> Self {
                    Self { unscaled: value.into(), scale: 0 }
                }
            }
        )*
        $crate::decimal::comparison::compared!($name with $($integer)*);
    };
}

pub(super) use compared;
pub(super) use integers;
pub(super) use ordering;
