//! What was right, and was changed: for tests of readers, which get from an attacker not noise but a real signature with
//! something different in it.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*, sample::Index};

/// One change to bytes; its places fit whatever length these have.
#[derive(Debug, Clone)]
pub(in crate::sign) enum Mutation {
    /// One bit is another one.
    Flip(Index, u8),
    /// These bytes stand in the place of others.
    Overwrite(Index, Vec<u8>),
    /// All that follows is missing.
    Cut(Index),
    /// So many are missing.
    Remove(Index, usize),
    /// These stand between the others.
    Insert(Index, Vec<u8>),
    /// What is up to there stands there again, so many times.
    Repeat(Index, usize),
}

/// What is taken for lengths, in DER and in CBOR: without an end, and more than there is.
const LENGTHS: &[&[u8]] = &[
    &[0x80],
    &[0x84, 0xff, 0xff, 0xff, 0xff],
    &[0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9b, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9f],
    &[0xbf],
    &[0xff],
    &[0x00],
];

/// No reader may need longer for some kilobytes, on whatever machine, beside whatever else that does.
const LIMIT: Duration = Duration::from_secs(20);

/// One to three changes.
pub(in crate::sign) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let place = any::<Index>;
    let bytes = prop_oneof![
        vec(any::<u8>(), 1..8),
        prop::sample::select(LENGTHS).prop_map(<[u8]>::to_vec),
        prop::sample::select(b"\"\\{}[],:=-0\n".as_slice()).prop_map(|byte| vec![byte]),
    ];
    let one = prop_oneof![
        4 => (place(), 0..8_u8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        4 => (place(), bytes.clone()).prop_map(|(place, bytes)| Mutation::Overwrite(place, bytes)),
        1 => place().prop_map(Mutation::Cut),
        2 => (place(), 1..200_usize).prop_map(|(place, count)| Mutation::Remove(place, count)),
        2 => (place(), bytes).prop_map(|(place, bytes)| Mutation::Insert(place, bytes)),
        1 => (place(), 1..5_usize).prop_map(|(place, times)| Mutation::Repeat(place, times)),
    ];
    vec(one, 1..4)
}

/// The bytes with these changes, one after the other.
pub(in crate::sign) fn mutated(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for mutation in mutations {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let length = bytes.len();
        match mutation {
            Mutation::Flip(place, bit) => bytes[place.index(length)] ^= 1 << bit,
            Mutation::Overwrite(place, with) => {
                let start = place.index(length);
                let end = length.min(start + with.len());
                bytes.splice(start..end, with.iter().copied());
            }
            Mutation::Cut(place) => bytes.truncate(place.index(length)),
            Mutation::Remove(place, count) => {
                let start = place.index(length);
                bytes.drain(start..length.min(start + count));
            }
            Mutation::Insert(place, with) => {
                let start = place.index(length);
                bytes.splice(start..start, with.iter().copied());
            }
            Mutation::Repeat(place, times) => {
                let start = place.index(length);
                let again = bytes[..start].repeat(*times);
                bytes.splice(start..start, again);
            }
        }
    }
    bytes
}

/// What `read` gives; it must come back soon.
#[track_caller]
pub(in crate::sign) fn soon<T>(read: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let given = read();
    assert!(begun.elapsed() < LIMIT, "it took {:?}", begun.elapsed());
    given
}
