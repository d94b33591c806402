//! Writing DER: the few shapes that certificates made here and normalised containers need.

/// One element with a definite, minimal length.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    header(&mut out, tag, content.len());
    out.extend_from_slice(content);
    out
}

/// Appends identifier and length.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        // The cast keeps the value: it is below 128.
        out.push(length as u8);
        return;
    }
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    out.push(0x80 | (octets.len() - zeros) as u8);
    out.extend_from_slice(&octets[zeros..]);
}

/// One constructed element around parts.
pub(crate) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// A SEQUENCE around parts.
pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(crate::asn1::SEQUENCE, parts)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(octets);
    element(crate::asn1::BIT_STRING, &content)
}

/// A positive INTEGER from big-endian octets.
pub(crate) fn unsigned(octets: &[u8]) -> Vec<u8> {
    let mut content = crate::asn1::significant(octets).to_vec();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(crate::asn1::INTEGER, &content)
}
