//! The token of a session in its pages: another text in each, so that its bytes cannot be guessed
//! from the length of compressed pages that also repeat what was asked (BREACH).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The token, covered with random bytes: those, and behind them the token exclusive-or them.
/// Whatever is no token stays what it is.
pub(crate) fn covered(token: &str, cover: [u8; 32]) -> String {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return token.to_owned() };
    if bytes.len() != cover.len() {
        return token.to_owned();
    }
    let mixed = bytes.iter().zip(&cover).map(|(byte, cover)| byte ^ cover);
    let both: Vec<u8> = cover.iter().copied().chain(mixed).collect();
    URL_SAFE_NO_PAD.encode(both)
}

/// The token that a request gave, covered or not.
pub(super) fn uncovered(given: &str) -> String {
    match URL_SAFE_NO_PAD.decode(given) {
        Ok(both) if both.len() == 64 => {
            let (cover, mixed) = both.split_at(32);
            let bytes: Vec<u8> = mixed.iter().zip(cover).map(|(a, b)| a ^ b).collect();
            URL_SAFE_NO_PAD.encode(bytes)
        }
        _ => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_covered_token_is_another_text_each_time_and_the_same_token() {
        let token = URL_SAFE_NO_PAD.encode([7; 32]);
        let (one, two) = (covered(&token, [1; 32]), covered(&token, [2; 32]));
        assert_ne!(one, two);
        assert!(!one.contains(&token));
        for given in [one, two, token.clone()] {
            assert_eq!(uncovered(&given), token);
        }
        assert_eq!(covered("", [1; 32]), "");
        assert_ne!(uncovered(&covered(&URL_SAFE_NO_PAD.encode([8; 32]), [1; 32])), token);
    }
}
