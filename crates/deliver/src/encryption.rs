//! Encryption of payloads: a JSON Web Encryption object in compact form (RFC 7516), `dir` with
//! A256GCM, under a key that both sides have. TLS ends at the receiver's edge; this does not.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Media type of what comes out.
pub(crate) const MEDIA_TYPE: &str = "application/jose";

fn cipher(key: &str) -> Option<LessSafeKey> {
    let bytes = STANDARD.decode(key.trim()).ok().filter(|bytes| bytes.len() == 32)?;
    UnboundKey::new(&AES_256_GCM, &bytes).ok().map(LessSafeKey::new)
}

/// Whether a text is the base64 of a key of 32 bytes.
pub(crate) fn is_key(key: &str) -> bool {
    cipher(key).is_some()
}

/// Encrypts; `content_type` is that of the plain bytes (`cty`).
pub(crate) fn encrypt(key: &str, content_type: &str, plain: &[u8]) -> Option<Vec<u8>> {
    let cipher = cipher(key)?;
    let header = serde_json::json!({ "alg": "dir", "enc": "A256GCM", "cty": content_type });
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let mut nonce = [0; 12];
    rand::fill(&mut nonce).ok()?;
    let mut bytes = plain.to_vec();
    let aad = Aad::from(header.as_bytes());
    let tag = cipher
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
        .ok()?;
    let text = format!(
        "{header}..{}.{}.{}",
        URL_SAFE_NO_PAD.encode(nonce),
        URL_SAFE_NO_PAD.encode(&bytes),
        URL_SAFE_NO_PAD.encode(tag.as_ref())
    );
    Some(text.into_bytes())
}

/// Opens what a forwarder with a payload key sent; `None` if it is not that, or the key is another.
pub fn decrypt(key: &str, text: &str) -> Option<Vec<u8>> {
    let mut parts = text.trim().split('.');
    let (header, wrapped, nonce) = (parts.next()?, parts.next()?, parts.next()?);
    let (body, tag) = (parts.next()?, parts.next()?);
    if !wrapped.is_empty() || parts.next().is_some() {
        return None;
    }
    let nonce: [u8; 12] = URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()?;
    let mut bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
    bytes.extend(URL_SAFE_NO_PAD.decode(tag).ok()?);
    let aad = Aad::from(header.as_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher(key)?.open_in_place(nonce, aad, &mut bytes).ok().map(|plain| plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_opens_with_the_key_alone() {
        let (key, other) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let text = String::from_utf8(encrypt(&key, "application/json", b"{}").unwrap()).unwrap();
        assert_eq!(decrypt(&key, &text).as_deref(), Some(&b"{}"[..]));
        assert!(decrypt(&other, &text).is_none());
        assert!(decrypt(&key, &text.replacen("ey", "ez", 1)).is_none(), "the header is bound in");
        assert!(is_key(&key) && !is_key("c2hvcnQ="));
    }
}
