//! The fingerprint of a certificate.

use std::fmt;
use std::str::FromStr;

use futures_rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// The SHA-256 of a certificate's DER encoding: names one certificate exactly.
///
/// It is written as other tools write it, 32 upper-case hex pairs with colons between them, and read with or without
/// the colons, in either case.
///
/// ```
/// use npws_driver::Fingerprint;
///
/// let fingerprint: Fingerprint = "ab".repeat(32).parse()?;
/// assert!(fingerprint.to_string().starts_with("AB:AB:AB:"));
/// assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
/// # Ok::<(), npws_driver::InvalidFingerprint>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    ///
    /// ```
    /// use npws_driver::{Fingerprint, rustls::pki_types::CertificateDer};
    ///
    /// let certificate = CertificateDer::from(vec![0x30, 0x00]);
    /// assert_ne!(Fingerprint::of(&certificate), Fingerprint::new([0; 32]));
    /// ```
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// The fingerprint with these bytes.
    ///
    /// ```
    /// use npws_driver::Fingerprint;
    ///
    /// assert_eq!(Fingerprint::new([7; 32]).as_bytes(), &[7; 32]);
    /// ```
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    ///
    /// ```
    /// use npws_driver::Fingerprint;
    ///
    /// assert_eq!(Fingerprint::new([7; 32]).as_bytes().len(), 32);
    /// ```
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let text = text.as_bytes();
        let separator = match text.len() {
            len if len == 2 * BYTES => 0,
            len if len == 3 * BYTES - 1 => 1,
            _ => return Err(InvalidFingerprint(())),
        };
        let mut bytes = [0; BYTES];
        for (byte, group) in bytes.iter_mut().zip(text.chunks(2 + separator)) {
            *byte = match *group {
                [high, low] | [high, low, b':'] => pair(high, low).ok_or(InvalidFingerprint(()))?,
                _ => return Err(InvalidFingerprint(())),
            };
        }
        Ok(Self(bytes))
    }
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// A text that is not 64 hex digits, with or without a colon after each pair.
///
/// ```
/// use npws_driver::Fingerprint;
///
/// assert!("AB:CD".parse::<Fingerprint>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFingerprint(());

impl fmt::Display for InvalidFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256 fingerprint is 64 hex digits, with or without a colon between the pairs")
    }
}

impl std::error::Error for InvalidFingerprint {}
