use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use super::{Chain, Purpose};

/// Chains that were checked before: a thousand signatures of one key come with the same certificates a thousand times.
///
/// This skips no check. What [`Chain::new`] says follows from the bytes of the certificates and the purpose alone, and a
/// chain is found here by just these, byte for byte. What may be different the next time is not asked there and kept
/// nowhere: the signature itself, whether it is trusted, whether it counts now, and whether it was revoked. A chain that was
/// refused is looked at again.
#[derive(Debug)]
pub(super) struct KnownChains(Mutex<VecDeque<(Purpose, Chain)>>);

impl KnownChains {
    /// How many are kept; whoever may push can bring as many as they like.
    pub(super) const MOST: usize = 64;
    /// How many bytes one of them may have. Those of authorities have five kilobytes.
    const LARGEST: usize = 32 * 1024;

    pub(super) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// The chain of these certificates, if it was checked for that purpose.
    pub(super) fn find(&self, ders: &[Vec<u8>], purpose: Purpose) -> Option<Chain> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |chain: &Chain| {
            let certificates = chain.certificates();
            certificates.len() == ders.len() && certificates.iter().zip(ders).all(|(one, der)| one.der() == der)
        };
        known.iter().find(|(of, chain)| *of == purpose && is_it(chain)).map(|(_, chain)| chain.clone())
    }

    /// Keeps a chain in place of the oldest one.
    pub(super) fn keep(&self, chain: &Chain, purpose: Purpose) {
        if chain.certificates().iter().map(|certificate| certificate.der().len()).sum::<usize>() > Self::LARGEST {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(Self::MOST - 1);
        known.push_front((purpose, chain.clone()));
    }
}
