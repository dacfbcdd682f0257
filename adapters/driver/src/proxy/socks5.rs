//! SOCKS5, as RFC 1928 has it, with the username and password of RFC 1929.

use std::net::IpAddr;

use futures::{AsyncReadExt, AsyncWriteExt};

use super::ProxyError;
use super::credentials::Credentials;
use crate::client::DialTarget;
use crate::socket::Socket;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const SUCCEEDED: u8 = 0;

const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The longest name that a request has room for.
pub(super) const MAX_NAME: usize = 255;

/// Asks for a way to `target`. Exactly the answers are read.
pub(super) async fn open(
    socket: &mut Socket,
    target: &DialTarget,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let greeting: &[u8] = match credentials {
        None => &[VERSION, 1, NO_AUTHENTICATION],
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USERNAME_PASSWORD],
    };
    send(socket, greeting).await?;
    match (read::<2>(socket).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USERNAME_PASSWORD], Some(credentials)) => {
            send(socket, &credentials.to_subnegotiation()).await?;
            // Proxies are not of one mind about the version that stands first.
            let [_, status] = read(socket).await?;
            if status != SUCCEEDED {
                return Err(ProxyError::Unauthorized);
            }
        }
        ([VERSION, NO_METHOD], _) => return Err(ProxyError::NoMethod),
        _ => return Err(ProxyError::Malformed),
    }
    send(socket, &request(target)).await?;
    let [version, reply, _, kind] = read(socket).await?;
    if version != VERSION {
        return Err(ProxyError::Malformed);
    }
    if reply != SUCCEEDED {
        return Err(ProxyError::Reply(reply));
    }
    // The address that the proxy dials from is of no use.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(socket).await?[0]),
        _ => return Err(ProxyError::Malformed),
    };
    let mut address_and_port = [0; MAX_NAME + 2];
    socket.read_exact(&mut address_and_port[..length + 2]).await?;
    Ok(())
}

fn request(target: &DialTarget) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            // The length was checked when the pool was made.
            request.extend_from_slice(&[NAME, u8::try_from(target.host.len()).unwrap_or(u8::MAX)]);
            request.extend_from_slice(target.host.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    request
}

async fn send(socket: &mut Socket, bytes: &[u8]) -> Result<(), ProxyError> {
    socket.write_all(bytes).await?;
    Ok(socket.flush().await?)
}

async fn read<const N: usize>(socket: &mut Socket) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes).await?;
    Ok(bytes)
}
