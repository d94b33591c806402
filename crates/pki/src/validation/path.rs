//! Exploring issuers: all paths from a certificate upwards, within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use super::IssuerSource;
use crate::Certificate;
use crate::signature::{self, SignatureError, Strength};

/// Most certificates in a path, the subject included.
const DEPTH_MAX: usize = 10;
/// Most paths that are judged.
const PATHS_MAX: usize = 32;
/// Most signatures that are verified for one subject.
const SIGNATURES_MAX: usize = 128;

/// How a path ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// At an anchor.
    Anchor,
    /// At a certificate that signed itself and is no anchor.
    Root,
    /// No certificate of that name is known.
    Missing,
    /// Certificates of the issuer's name are known, but none has the key that signed.
    OtherKey,
    /// The issuer (last of the path, by name and key identifier) did not make this signature.
    BadSignature,
    /// The signature cannot be checked.
    Unsupported(String),
    /// The bounds were reached.
    Bounds,
}

/// One path: the subject first.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub certificates: Vec<Arc<Certificate>>,
    /// One for each certificate above the subject: how its signature below stands.
    pub signatures: Vec<Strength>,
    pub end: End,
}

impl Path {
    /// Of two paths with the same verdict the one that ends better is told; lower is better.
    pub fn end_rank(&self) -> u8 {
        match self.end {
            End::Anchor => 0,
            End::Root => 1,
            End::BadSignature | End::Unsupported(_) => 2,
            End::OtherKey | End::Missing | End::Bounds => 3,
        }
    }
}

struct Explorer<'a> {
    candidates: &'a dyn IssuerSource,
    is_anchor: &'a dyn Fn(&[u8; 32]) -> bool,
    verified: HashMap<([u8; 32], [u8; 32]), Result<Strength, SignatureError>>,
    paths: Vec<Path>,
    budget: usize,
}

/// All paths, at least one.
pub(super) fn explore(
    subject: &Certificate,
    candidates: &dyn IssuerSource,
    is_anchor: &dyn Fn(&[u8; 32]) -> bool,
) -> Vec<Path> {
    let mut explorer = Explorer {
        candidates,
        is_anchor,
        verified: HashMap::new(),
        paths: Vec::new(),
        budget: SIGNATURES_MAX,
    };
    let mut path = vec![Arc::new(subject.clone())];
    explorer.climb(&mut path, &mut Vec::new());
    explorer.paths
}

impl Explorer<'_> {
    fn finish(&mut self, path: &[Arc<Certificate>], signatures: &[Strength], end: End) {
        if self.paths.len() < PATHS_MAX {
            let (certificates, signatures) = (path.to_vec(), signatures.to_vec());
            self.paths.push(Path { certificates, signatures, end });
        }
    }

    fn verify(
        &mut self,
        child: &Certificate,
        issuer: &Certificate,
    ) -> Option<Result<Strength, SignatureError>> {
        // The key decides, so cross-certificates of one CA cost one verification.
        let pair = (child.fingerprint_sha256, issuer.spki_sha256);
        if let Some(known) = self.verified.get(&pair) {
            return Some(known.clone());
        }
        // What is remembered is paid for as well: else a verdict would depend on what came before.
        self.budget = self.budget.checked_sub(1)?;
        let shared = self.candidates.verified().filter(|_| child.is_ca());
        let result = match shared.and_then(|shared| shared.find(&pair)) {
            Some(known) => known,
            None => {
                let result = signature::verify(child, issuer);
                if let Some(shared) = shared {
                    shared.keep(pair, &result);
                }
                result
            }
        };
        self.verified.insert(pair, result.clone());
        Some(result)
    }

    /// Extends `path` in every way. Depth is bounded by `DEPTH_MAX`.
    fn climb(&mut self, path: &mut Vec<Arc<Certificate>>, signatures: &mut Vec<Strength>) {
        let Some(last) = path.last().cloned() else {
            return;
        };
        if (self.is_anchor)(&last.fingerprint_sha256) {
            return self.finish(path, signatures, End::Anchor);
        }
        if last.self_issued {
            match self.verify(&last, &last) {
                Some(Ok(_)) => return self.finish(path, signatures, End::Root),
                None => return self.finish(path, signatures, End::Bounds),
                Some(Err(_)) => {}
            }
        }
        if path.len() >= DEPTH_MAX || self.paths.len() >= PATHS_MAX {
            return self.finish(path, signatures, End::Bounds);
        }
        let mut failure = End::Missing;
        // The key that signed: no other one can have.
        let mut signer = None;
        for issuer in self.ordered_issuers(&last, path) {
            if signer.is_some_and(|signer| signer != issuer.spki_sha256) {
                continue;
            }
            match self.verify(&last, &issuer) {
                None => {
                    failure = End::Bounds;
                    break;
                }
                Some(Ok(strength)) => {
                    signer = Some(issuer.spki_sha256);
                    path.push(issuer);
                    signatures.push(strength);
                    self.climb(path, signatures);
                    path.pop();
                    signatures.pop();
                }
                Some(Err(error)) => failure = worse(failure, error, &last, &issuer),
            }
        }
        if signer.is_none() {
            self.finish(path, signatures, self_signature(&last, failure));
        }
    }

    /// Issuers worth trying: the right name, not in the path already, those with the right key
    /// identifier first, then those that end last.
    fn ordered_issuers(
        &self,
        child: &Certificate,
        path: &[Arc<Certificate>],
    ) -> Vec<Arc<Certificate>> {
        let mut issuers = self.candidates.issuers_of(child);
        issuers.retain(|issuer| {
            child.is_named_issuer(issuer)
                && !path.iter().any(|known| {
                    known.fingerprint_sha256 == issuer.fingerprint_sha256
                        || (known.spki_sha256 == issuer.spki_sha256
                            && known.subject_der() == issuer.subject_der())
                })
        });
        issuers.sort_by_key(|issuer| {
            let other_key = match (child.authority_key_id(), issuer.subject_key_id()) {
                (Some(wanted), Some(id)) => wanted != id,
                _ => false,
            };
            let anchor = (self.is_anchor)(&issuer.fingerprint_sha256);
            (other_key, !anchor, std::cmp::Reverse(issuer.not_after), issuer.fingerprint_sha256)
        });
        issuers.dedup_by_key(|issuer| issuer.fingerprint_sha256);
        issuers
    }
}

/// Of the failures of several candidates, the one that says most: a signature that its very issuer
/// did not make, then one that cannot be checked, then other keys of that name.
fn worse(so_far: End, error: SignatureError, child: &Certificate, issuer: &Certificate) -> End {
    let same_id = match (child.authority_key_id(), issuer.subject_key_id()) {
        (Some(wanted), Some(id)) => wanted == id,
        _ => false,
    };
    match (error, so_far) {
        (_, End::BadSignature) => End::BadSignature,
        (SignatureError::Bad, _) if same_id => End::BadSignature,
        (SignatureError::Unsupported(reason), _) => End::Unsupported(reason),
        (SignatureError::Bad, End::Unsupported(reason)) => End::Unsupported(reason),
        (SignatureError::Bad, _) => End::OtherKey,
    }
}

/// A certificate that names itself as issuer, by name and key identifier, and does not verify with
/// its own key is broken or not checkable rather than without an issuer.
fn self_signature(last: &Certificate, failure: End) -> End {
    let own_id = match (last.authority_key_id(), last.subject_key_id()) {
        (Some(wanted), Some(id)) => wanted == id,
        (None, _) => true,
        (Some(_), None) => false,
    };
    if !last.self_issued || !own_id || failure == End::BadSignature {
        return failure;
    }
    match signature::verify(last, last) {
        Err(SignatureError::Unsupported(reason)) => End::Unsupported(reason),
        Err(SignatureError::Bad) if failure == End::Missing || failure == End::OtherKey => {
            End::BadSignature
        }
        _ => failure,
    }
}
