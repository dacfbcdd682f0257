//! Texts that users configure pools with.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use npws_driver::{ClientPool, ClientTls, ConfigError, ConnectionId, Fingerprint, IpRange, Origin, Proxy, Tokens};

use crate::runtime::Stepped;

/// Reads the bytes as every kind of text that a setting takes.
///
/// # Panics
/// When reading one does, or when what was read is not read as the same again after it was printed.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    round_trip::<IpRange>(text);
    round_trip::<Origin>(text);
    round_trip::<ConnectionId>(text);
    round_trip::<Fingerprint>(text);
    for refused in [
        ClientTls::from_code(text).err().map(|error| error.to_string()),
        Tokens::new([text]).err().map(|error| error.to_string()),
    ] {
        assert!(refused.is_none_or(|message| !message.is_empty()));
    }
    if let Err(error) = Proxy::from_url(text) {
        names_a_field(&error);
    }
    let built = ClientPool::builder(text)
        .runtime(Stepped::new())
        .path(text)
        .host(text)
        .server_name(text)
        .header(text, text)
        .connect();
    if let Err(error) = built {
        assert!(!error.to_string().is_empty());
    }
}

fn round_trip<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(parsed) => {
            let again = parsed.to_string().parse::<T>();
            assert!(again.is_ok_and(|again| again == parsed), "{parsed:?} is not read as itself again");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn names_a_field(error: &ConfigError) {
    assert!(error.to_string().contains(" is "), "{error}");
}
