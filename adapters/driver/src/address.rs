//! `host:port` as users write it.

use npws_core::ConfigError;

use crate::client::DialTarget;

/// Splits an address into host and port. An IPv6 address stands in brackets, which the host then lacks.
pub(crate) fn parse(address: &str) -> Result<DialTarget, ConfigError> {
    let invalid = || ConfigError::new("address", address, "host:port, as example.org:8443 or [2001:db8::7]:8443");
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let port = port.parse().map_err(|_| invalid())?;
    let unbracketed = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => Some(host),
    };
    match unbracketed {
        Some(name)
            if !name.is_empty() && !name.contains(['/', '@', '[', ']']) && (host != name || !name.contains(':')) =>
        {
            Ok(DialTarget { host: name.to_owned(), port })
        }
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses_of_both_families() {
        for (address, host, port) in [
            ("localhost:8443", "localhost", 8443),
            ("192.0.2.7:1", "192.0.2.7", 1),
            ("[2001:db8::7]:65535", "2001:db8::7", 65535),
        ] {
            assert_eq!(parse(address).unwrap(), DialTarget { host: host.into(), port });
        }
    }

    #[test]
    fn refuses_what_is_not_host_and_port() {
        for address in [
            "",
            "localhost",
            ":80",
            "localhost:",
            "localhost:65536",
            "2001:db8::7:80",
            "[::1]",
            "[::1:80",
            "[x]:80",
            "ws://h:80",
            "u@h:80",
        ] {
            let error = parse(address).unwrap_err();
            assert_eq!(error.field(), "address", "{address}");
        }
    }
}
