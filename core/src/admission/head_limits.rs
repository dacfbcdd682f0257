//! How much the head of a request may hold.

use alloc::format;
use core::ops::RangeInclusive;

use crate::ConfigError;

const BYTES: RangeInclusive<usize> = 256..=1 << 20;
const FIELDS: RangeInclusive<usize> = 5..=4096;

/// The limits of a request's head, beyond which the answer is 431.
///
/// ```
/// use npws_core::HeadLimits;
///
/// let limits = HeadLimits { max_fields: 100, ..HeadLimits::default() };
/// assert!(limits.validate().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// How many bytes, from the method to the empty line: 256 to 1,048,576, 8,192 unless told. So much is held for each
    /// handshake under way.
    pub max_bytes: usize,
    /// How many fields: 5, which an upgrade needs, to 4,096; 64 unless told.
    pub max_fields: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { max_bytes: 8 * 1024, max_fields: 64 }
    }
}

impl HeadLimits {
    /// Checks both values.
    ///
    /// ```
    /// # use npws_core::HeadLimits;
    /// let limits = HeadLimits { max_fields: 4, ..HeadLimits::default() };
    /// assert_eq!(limits.validate().unwrap_err().to_string(), "max_fields is 4, accepted is 5 to 4096");
    /// ```
    ///
    /// # Errors
    /// Names the first field whose value is outside its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value, accepted) in [("max_bytes", self.max_bytes, BYTES), ("max_fields", self.max_fields, FIELDS)]
        {
            if !accepted.contains(&value) {
                let range = format!("{} to {}", accepted.start(), accepted.end());
                return Err(ConfigError::new(field, format!("{value}"), range));
            }
        }
        Ok(())
    }
}
