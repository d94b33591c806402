//! Passwords of PKCS#12: integrity (RFC 7292 appendix A, RFC 9579) and decryption of safes (RFC
//! 7292 appendices B and C, RFC 8018), also with the old ciphers that files still use.
//!
//! Iteration counts come from the file. They are paid from one budget for the whole input, so
//! neither a file nor many of them in one text can buy hours of work.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::{digest, hmac, iv::FixedLength, pbkdf2};
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7};

use crate::asn1::{self, Element};
use crate::oid;

/// Iterations that one input may ask for altogether, for every block of every key: a second or
/// three, by their hash.
const ITERATIONS_MAX: u32 = 2_000_000;
/// PKCS#12 structures in one input.
const FILES_MAX: u32 = 64;

/// Why something could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The password does not fit.
    Password,
    /// Not supported, or asking too much.
    Unsupported(String),
}

fn unsupported(what: impl Into<String>) -> Failure {
    Failure::Unsupported(what.into())
}

/// What an input may still ask for.
pub(in crate::container) struct Budget {
    iterations: u32,
    files: u32,
    /// Something was asked for that could not be paid.
    pub(in crate::container) exceeded: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { iterations: ITERATIONS_MAX, files: FILES_MAX, exceeded: false }
    }
}

impl Budget {
    /// Pays for nothing: no key is derived.
    pub(in crate::container) fn none() -> Self {
        Self { iterations: 0, ..Self::default() }
    }

    /// Pays for one more PKCS#12 structure.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        let left = self.files.checked_sub(1);
        self.files = left.ok_or_else(|| {
            unsupported(format!("one input may hold at most {FILES_MAX} of them"))
        })?;
        Ok(())
    }

    /// Pays for `blocks` derivations of one block each, whose count is an INTEGER of the file.
    fn pay(&mut self, count: &Element<'_>, blocks: usize) -> Result<NonZeroU32, Failure> {
        let count = asn1::small_integer(count.content).and_then(NonZeroU32::new);
        let count = count.ok_or_else(|| unsupported("an iteration count is out of range"))?;
        let all = u32::try_from(blocks).ok().and_then(|blocks| count.get().checked_mul(blocks));
        match all.and_then(|all| self.iterations.checked_sub(all)) {
            Some(left) => self.iterations = left,
            None => {
                self.exceeded = true;
                return Err(unsupported("it asks for too many iterations"));
            }
        }
        Ok(count)
    }
}

/// A password in its two forms.
pub(super) struct Password {
    utf8: String,
    /// UTF-16 with a terminating zero, for the derivation of RFC 7292.
    wide: Vec<u8>,
}

impl Password {
    pub fn new(text: &str) -> Self {
        let wide = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        Self { utf8: text.to_owned(), wide }
    }

    pub fn is_empty(&self) -> bool {
        self.utf8.is_empty()
    }

    /// The wide forms to try: writers disagree whether an empty password has its terminator.
    fn wide_forms(&self) -> Vec<&[u8]> {
        if self.is_empty() { vec![&self.wide, &[]] } else { vec![&self.wide] }
    }
}

fn hash(name: &str) -> Option<(&'static digest::Algorithm, hmac::Algorithm)> {
    Some(match name {
        "SHA1" => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        "SHA224" => (&digest::SHA224, hmac::HMAC_SHA224),
        "SHA256" => (&digest::SHA256, hmac::HMAC_SHA256),
        "SHA384" => (&digest::SHA384, hmac::HMAC_SHA384),
        "SHA512" => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return None,
    })
}

/// What a derived key is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Vector = 2,
    Mac = 3,
}

/// Fills a whole number of blocks with repetitions of `bytes`.
fn fill(bytes: &[u8], block: usize) -> Vec<u8> {
    let length = bytes.len().div_ceil(block) * block;
    bytes.iter().copied().cycle().take(length).collect()
}

/// RFC 7292 appendix B.2.
fn derive(
    hash: &'static digest::Algorithm,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> Vec<u8> {
    let block = hash.block_len();
    let diversifier = vec![purpose as u8; block];
    let mut input = [fill(salt, block), fill(password, block)].concat();
    let mut out = Vec::with_capacity(length + hash.output_len());
    while out.len() < length {
        let mut value = digest::digest(hash, &[diversifier.as_slice(), &input].concat());
        for _ in 1..iterations.get() {
            value = digest::digest(hash, value.as_ref());
        }
        out.extend_from_slice(value.as_ref());
        let addend: Vec<u8> = value.as_ref().iter().copied().cycle().take(block).collect();
        for chunk in input.chunks_mut(block) {
            let mut carry = 1u16;
            for (octet, add) in chunk.iter_mut().zip(&addend).rev() {
                carry += u16::from(*octet) + u16::from(*add);
                *octet = carry.to_be_bytes()[1];
                carry >>= 8;
            }
        }
    }
    out.truncate(length);
    out
}

/// Algorithm identifier taken apart: identifier octets and parameters.
fn identifier<'a>(algorithm: &Element<'a>) -> Option<(&'a [u8], Option<Element<'a>>)> {
    let mut parts = algorithm.inside();
    let kind = parts.optional(asn1::OBJECT_IDENTIFIER)?.content;
    Some((kind, parts.any("").ok()))
}

/// Verifies the MAC over the authenticated safes.
pub(super) fn verify_mac(
    mac: &Element<'_>,
    content: &[u8],
    password: &Password,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let odd = || unsupported("its integrity data is broken");
    let mut parts = mac.inside();
    let mut info = parts.optional(asn1::SEQUENCE).ok_or_else(odd)?.inside();
    let algorithm = info.optional(asn1::SEQUENCE).ok_or_else(odd)?;
    let expected = info.optional(asn1::OCTET_STRING).ok_or_else(odd)?.content;
    let salt = parts.optional(asn1::OCTET_STRING).ok_or_else(odd)?.content;
    let count = parts.optional(asn1::INTEGER);
    let (kind, parameters) = identifier(&algorithm).ok_or_else(odd)?;
    if kind == oid::PBMAC1.as_bytes() {
        let mut parameters = parameters.ok_or_else(odd)?.inside();
        let derivation = parameters.optional(asn1::SEQUENCE).ok_or_else(odd)?;
        let scheme = parameters.optional(asn1::SEQUENCE).and_then(|scheme| identifier(&scheme));
        let scheme = scheme.and_then(|(kind, _)| oid::name(oid::KEYED_HASHES, kind)).and_then(hash);
        let (_, scheme) =
            scheme.ok_or_else(|| unsupported("its integrity hash is not supported"))?;
        let key = pbkdf2_key(&derivation, scheme.tag_len(), password, budget)?;
        return hmac::verify(&hmac::Key::new(scheme, &key), content, expected)
            .map_err(|_| Failure::Password);
    }
    let (digest, keyed) = oid::name(oid::HASHES, kind)
        .and_then(hash)
        .ok_or_else(|| unsupported("its integrity hash is not supported"))?;
    let count = match count {
        // Each form of the password that is tried is a derivation of one block.
        Some(count) => budget.pay(&count, password.wide_forms().len())?,
        None => NonZeroU32::MIN,
    };
    let fits = password.wide_forms().into_iter().any(|form| {
        let key = derive(digest, Purpose::Mac, form, salt, count, digest.output_len());
        hmac::verify(&hmac::Key::new(keyed, &key), content, expected).is_ok()
    });
    if fits { Ok(()) } else { Err(Failure::Password) }
}

/// A key by PBKDF2 (RFC 8018 appendix A.2). `length` in bytes.
fn pbkdf2_key(
    derivation: &Element<'_>,
    length: usize,
    password: &Password,
    budget: &mut Budget,
) -> Result<Vec<u8>, Failure> {
    let odd = || unsupported("its key derivation is broken");
    let (kind, parameters) = identifier(derivation).ok_or_else(odd)?;
    if kind != oid::PBKDF2.as_bytes() {
        return Err(unsupported(format!(
            "the key derivation {} is not supported",
            oid::dotted(kind)
        )));
    }
    let mut parameters = parameters.ok_or_else(odd)?.inside();
    let salt = parameters.optional(asn1::OCTET_STRING).ok_or_else(odd)?.content;
    let count = parameters.optional(asn1::INTEGER).ok_or_else(odd)?;
    parameters.optional(asn1::INTEGER);
    let name = match parameters.optional(asn1::SEQUENCE).and_then(|function| identifier(&function))
    {
        Some((kind, _)) => oid::name(oid::KEYED_HASHES, kind),
        None => Some("SHA1"),
    };
    let (algorithm, block) = match name {
        Some("SHA1") => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
        Some("SHA256") => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        Some("SHA384") => (pbkdf2::PBKDF2_HMAC_SHA384, 48),
        Some("SHA512") => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        _ => return Err(unsupported("the hash of its key derivation is not supported")),
    };
    let count = budget.pay(&count, length.div_ceil(block))?;
    let mut key = vec![0; length];
    pbkdf2::derive(algorithm, count, salt, password.utf8.as_bytes(), &mut key);
    Ok(key)
}

/// Decrypts the octets of a safe.
pub(super) fn decrypt(
    algorithm: &Element<'_>,
    secret: &[u8],
    password: &Password,
    budget: &mut Budget,
) -> Result<Vec<u8>, Failure> {
    let odd = || unsupported("its encryption algorithm is broken");
    let (kind, parameters) = identifier(algorithm).ok_or_else(odd)?;
    let mut parameters = parameters.ok_or_else(odd)?.inside();
    if kind == oid::PBES2.as_bytes() {
        let derivation = parameters.optional(asn1::SEQUENCE).ok_or_else(odd)?;
        let scheme = parameters.optional(asn1::SEQUENCE).ok_or_else(odd)?;
        let (cipher, vector) = identifier(&scheme).ok_or_else(odd)?;
        let vector = vector.ok_or_else(odd)?.content;
        let mut key = |length| pbkdf2_key(&derivation, length, password, budget);
        return match oid::name(oid::PASSWORD_CIPHERS, cipher) {
            Some("AES-128") => aes(&AES_128, &key(16)?, vector, secret),
            Some("AES-192") => aes(&AES_192, &key(24)?, vector, secret),
            Some("AES-256") => aes(&AES_256, &key(32)?, vector, secret),
            Some("3DES") => old::<des::TdesEde3>(&key(24)?, vector, secret),
            _ => Err(unsupported(format!("the cipher {} is not supported", oid::dotted(cipher)))),
        };
    }
    let (name, length): (_, usize) = match oid::name(oid::PASSWORD_CIPHERS, kind) {
        Some(name @ "PBE-3DES") => (name, 24),
        Some(name @ ("PBE-2DES" | "PBE-RC2-128")) => (name, 16),
        Some(name @ "PBE-RC2-40") => (name, 5),
        _ => {
            return Err(unsupported(format!(
                "the encryption {} is not supported",
                oid::dotted(kind)
            )));
        }
    };
    let salt = parameters.optional(asn1::OCTET_STRING).ok_or_else(odd)?.content;
    let count = parameters.optional(asn1::INTEGER).ok_or_else(odd)?;
    // SHA-1 gives 20 bytes at a time; the initialisation vector is one block more.
    let blocks = (length.div_ceil(20) + 1) * password.wide_forms().len();
    let count = budget.pay(&count, blocks)?;
    let mut result = Err(Failure::Password);
    for form in password.wide_forms() {
        let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        let key = derive(sha1, Purpose::Key, form, salt, count, length);
        let vector = derive(sha1, Purpose::Vector, form, salt, count, 8);
        result = match name {
            "PBE-3DES" => old::<des::TdesEde3>(&key, &vector, secret),
            "PBE-2DES" => old::<des::TdesEde2>(&key, &vector, secret),
            _ => old::<rc2::Rc2>(&key, &vector, secret),
        };
        if result.as_ref().is_ok_and(|bags| bags.first() == Some(&asn1::SEQUENCE)) {
            break;
        }
    }
    result
}

fn aes(
    cipher: &'static Algorithm,
    key: &[u8],
    vector: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    let vector = <[u8; 16]>::try_from(vector)
        .map_err(|_| unsupported("the initialisation vector has a wrong length"))?;
    let mut buffer = secret.to_vec();
    let key = UnboundCipherKey::new(cipher, key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let key = key.map_err(|_| unsupported("the cipher is not available"))?;
    let context = DecryptionContext::Iv128(FixedLength::from(vector));
    key.decrypt(&mut buffer, context).map(|clear| clear.to_vec()).map_err(|_| Failure::Password)
}

fn old<Cipher>(key: &[u8], vector: &[u8], secret: &[u8]) -> Result<Vec<u8>, Failure>
where
    Cipher: KeyInit + BlockCipherDecrypt,
{
    let cipher = cbc::Decryptor::<Cipher>::new_from_slices(key, vector);
    let cipher = cipher.map_err(|_| unsupported("the initialisation vector has a wrong length"))?;
    cipher.decrypt_padded_vec::<Pkcs7>(secret).map_err(|_| Failure::Password)
}
