//! Peers that speak TLS 1.2 at most. Their hellos are written by hand, as nothing here can speak it.

use std::io;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, future};
use futures_rustls::{TlsAcceptor, TlsConnector};

use super::duplex::duplex;
use super::{NAME, client_config, server_config, tls_error};
use crate::tls::{ClientTls, ServerTls, TlsError};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Level fatal, description `protocol_version`.
const REFUSAL: [u8; 2] = [2, 70];

/// One record that holds a hello of TLS 1.2, which has no list of versions.
fn hello(kind: u8, after_session_id: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(after_session_id);
    let mut message = vec![kind];
    message.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    let mut record = vec![22, 3, 3];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

/// What the peer answers to the record, without the headers of its own records.
async fn answer(stream: &mut (impl futures::AsyncRead + Unpin)) -> io::Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    loop {
        let mut header = [0; 5];
        match stream.read_exact(&mut header).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(records),
            other => other?,
        }
        let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut record).await?;
        records.push(record);
    }
}

#[test]
fn a_client_without_tls_1_3_is_refused() {
    let server = server_config(&ServerTls::self_signed([NAME]).unwrap());
    let (mut near, far) = duplex();
    smol::block_on(async {
        // One cipher suite, no compression; the signature algorithms ECDSA and RSA-PSS; the groups P-256 and X25519.
        let rest = [0, 2, 0xc0, 0x2b, 1, 0, 0, 20, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4, 0, 10, 0, 6, 0, 4, 0, 23, 0, 29];
        near.write_all(&hello(CLIENT_HELLO, &rest)).await.unwrap();
        let (refused, answer) = future::join(TlsAcceptor::from(server).accept(far), answer(&mut near)).await;
        let Err(refused) = refused else { panic!("accepted") };
        assert_eq!(tls_error(&refused), TlsError::UnsupportedVersion);
        assert_eq!(answer.unwrap(), [REFUSAL]);
    });
}

#[test]
fn a_server_without_tls_1_3_is_refused() {
    let client = client_config(&ClientTls::dangerous_accept_any());
    let (near, mut far) = duplex();
    smol::block_on(async {
        // A cipher suite, no compression and no extensions.
        far.write_all(&hello(SERVER_HELLO, &[0xc0, 0x2b, 0])).await.unwrap();
        let connect = TlsConnector::from(client).connect(NAME.try_into().unwrap(), near);
        let (refused, answer) = future::join(connect, answer(&mut far)).await;
        let Err(refused) = refused else { panic!("accepted") };
        assert_eq!(tls_error(&refused), TlsError::UnsupportedVersion);
        assert_eq!(answer.unwrap().last().unwrap(), &REFUSAL);
    });
}

#[test]
fn a_peer_that_refuses_our_version_is_understood() {
    let client = client_config(&ClientTls::dangerous_accept_any());
    let (near, mut far) = duplex();
    smol::block_on(async {
        far.write_all(&[21, 3, 3, 0, 2, 2, 70]).await.unwrap();
        let connect = TlsConnector::from(client).connect(NAME.try_into().unwrap(), near);
        let Err(refused) = connect.await else { panic!("accepted") };
        assert_eq!(tls_error(&refused), TlsError::UnsupportedVersion);
    });
}
