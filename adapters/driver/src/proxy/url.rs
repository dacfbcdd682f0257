//! A proxy as a URL.

use npws_core::ConfigError;
use percent_encoding::percent_decode_str;

use super::{Protocol, Proxy};
use crate::tls::ClientTls;

pub(super) fn parse(url: &str) -> Result<Proxy, ConfigError> {
    let invalid = || {
        let accepted = "http://, https://, socks5:// or socks5h:// with [user:password@]host[:port]";
        ConfigError::new("proxy", "a text that is no such URL", accepted)
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let (protocol, port, tls) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (Protocol::Connect, 80, ClientTls::plain()),
        "https" => (Protocol::Connect, 443, ClientTls::verified()),
        "socks5" | "socks5h" => (Protocol::Socks5, 1080, ClientTls::plain()),
        _ => return Err(invalid()),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(invalid());
    }
    let (userinfo, host) = match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, authority),
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, after)| !after.ends_with(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let mut proxy = Proxy::new(protocol, &address).map_err(|_| invalid())?.tls(tls);
    if let Some(userinfo) = userinfo {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decode = |text| percent_decode_str(text).decode_utf8().map_err(|_| invalid());
        proxy = proxy.credentials(decode(user)?, decode(password)?);
    }
    Ok(proxy)
}
