//! The files that are downloaded, made on the spot.

use bytes::Bytes;
use sha2::{Digest, Sha256};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Which request gets which file: one in so many, beginning at the one in the middle; the first line that fits.
const MIX: [(u32, usize); 8] = [
    (250, 64 * MIB),
    (80, 16 * MIB),
    (25, 4 * MIB),
    (8, MIB),
    (5, 256 * KIB),
    (4, 64 * KIB),
    (3, 16 * KIB),
    (2, 4 * KIB),
];
const SMALLEST: usize = KIB;
/// Files of neighbouring sizes begin this far apart in the same random bytes, so that none is the beginning of another.
const STRIDE: usize = 509;

/// A file's hash.
pub(super) type Hash = [u8; 32];

/// Files of several sizes, each with its SHA-256.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<(usize, Bytes, Hash)>,
}

impl Files {
    /// All files that the first `requests` requests ask for.
    pub(super) fn for_requests(requests: u32) -> Self {
        let mut sizes: Vec<_> = (0..requests).map(size).chain([SMALLEST]).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let largest = sizes.last().copied().unwrap_or(SMALLEST);
        let content = Bytes::from(random(largest + STRIDE * sizes.len()));
        let files = sizes.into_iter().enumerate().map(|(at, size)| {
            let file = content.slice(at * STRIDE..at * STRIDE + size);
            let hash = Sha256::digest(&file).into();
            (size, file, hash)
        });
        Self { files: files.collect() }
    }

    /// The content of the file of this size, if there is one, and its hash.
    pub(super) fn get(&self, size: usize) -> Option<(Bytes, Hash)> {
        self.files.iter().find(|(own, ..)| *own == size).map(|(_, file, hash)| (file.clone(), *hash))
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn smallest(&self) -> usize {
        SMALLEST
    }

    pub(super) fn largest(&self) -> usize {
        self.files.last().map_or(SMALLEST, |(size, ..)| *size)
    }
}

/// The size of the file that request `number` asks for.
pub(super) fn size(number: u32) -> usize {
    let fits = |(period, _): &&(u32, usize)| number % period == period / 2;
    MIX.iter().find(fits).map_or(SMALLEST, |(_, size)| *size)
}

/// The same bytes every time, of no use to anyone who compresses (SplitMix64).
fn random(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut state = 0_u64;
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_requests_get_every_size_and_no_more_than_two_gib() {
        let sizes: Vec<_> = (0..2000).map(size).collect();
        assert!(MIX.iter().all(|(_, size)| sizes.contains(size)));
        assert!(sizes.contains(&SMALLEST));
        assert!(sizes.iter().sum::<usize>() < 2048 * MIB);
    }

    #[test]
    fn files_differ_and_keep_their_hash() {
        let files = Files::for_requests(10);
        let (small, _) = files.get(SMALLEST).unwrap();
        let (large, hash) = files.get(files.largest()).unwrap();
        assert_ne!(small, large[..SMALLEST]);
        assert_eq!(Hash::from(Sha256::digest(&large)), hash);
    }
}
