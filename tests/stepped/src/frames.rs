//! WebSocket frames as a peer writes and reads them (RFC 6455 section 5).

/// The first byte of a frame: FIN, three reserved bits and the opcode.
pub const BINARY: u8 = 0x82;
/// See [`BINARY`].
pub const TEXT: u8 = 0x81;
/// See [`BINARY`].
pub const CLOSE: u8 = 0x88;
/// See [`BINARY`].
pub const PING: u8 = 0x89;
/// See [`BINARY`].
pub const PONG: u8 = 0x8a;
/// The bit that the last frame of a message has.
pub const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x5a, 0x00, 0xff, 0x13];

/// One frame; a client's are masked.
#[must_use]
pub fn frame(first: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mut frame = vec![first];
    let mask_bit = if is_masked { 0x80 } else { 0 };
    match payload.len() {
        n @ 0..126 => frame.push(n as u8 | mask_bit),
        n @ 126..0x1_0000 => {
            frame.push(126 | mask_bit);
            frame.extend((n as u16).to_be_bytes());
        }
        n => {
            frame.push(127 | mask_bit);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    if is_masked {
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        frame.extend(payload);
    }
    frame
}

/// Takes the first frame off what was received, if it is whole: its first byte and its payload.
pub fn next_frame(received: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (&first, &second) = (received.first()?, received.get(1)?);
    let (mut at, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(received.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(received.get(2..10)?.try_into().ok()?)).ok()?),
        n => (2, usize::from(n)),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        mask.copy_from_slice(received.get(at..at + 4)?);
        at += 4;
    }
    let payload = received.get(at..at + length)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    received.drain(..at + length);
    Some((first, payload))
}
