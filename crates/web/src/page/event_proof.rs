//! The proof of an event as its page shows it: what the server says, for the browser to check.

use chancery_engine::history::SeenEvent;
use chancery_seal::checkpoint::Checkpoint;
use chancery_seal::hash::leaf_hash;
use chancery_seal::tlog_proof::TlogProof;
use maud::Markup;

use super::shell::Shell;
use crate::edge::Problem;
use crate::ui::{self, ProofPanel, ProofStep};

/// The panel.
pub(super) async fn panel(shell: &Shell, seen: &SeenEvent) -> Result<Markup, Problem> {
    let text = shell.engine().proof(shell.context(), seen.event.id).await?;
    let unreadable = |error: String| {
        tracing::error!(error, "the proof of an event cannot be read");
        Problem::internal()
    };
    let proof: TlogProof = text.parse().map_err(|error| unreadable(format!("{error}")))?;
    let checkpoint: Checkpoint =
        proof.checkpoint().text().parse().map_err(|error| unreadable(format!("{error}")))?;
    let hashes: Vec<String> = proof.hashes().iter().map(|hash| hex(hash.as_bytes())).collect();
    let sides = sides(proof.index(), checkpoint.size(), hashes.len());
    let steps: Vec<ProofStep<'_>> =
        hashes.iter().zip(sides).map(|(hash, left)| ProofStep { hash, left }).collect();
    let key = shell.engine().verifier().to_string();
    Ok(ui::proof_panel(&ProofPanel {
        id: "proof",
        event_id: &seen.event.id.to_string(),
        state: "published",
        index: proof.index(),
        tree_size: checkpoint.size(),
        leaf: &hex(leaf_hash(&seen.entry).as_bytes()),
        root: &hex(checkpoint.root().as_bytes()),
        steps: &steps,
        verifier_key: Some(&key),
    }))
}

/// Which of the hashes stand to the left (RFC 9162 §2.1.3.2).
fn sides(index: u64, size: u64, count: usize) -> Vec<bool> {
    let (mut node, mut last) = (index, size.saturating_sub(1));
    let mut sides = Vec::with_capacity(count);
    for _ in 0..count {
        let left = node & 1 == 1 || node == last;
        if left {
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        }
        node >>= 1;
        last >>= 1;
        sides.push(left);
    }
    sides
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stand_where_the_standard_puts_them() {
        // Seven leaves, as in RFC 9162 §2.1.5.
        assert_eq!(sides(0, 7, 3), [false, false, false]);
        assert_eq!(sides(3, 7, 3), [true, true, false]);
        assert_eq!(sides(4, 7, 3), [false, false, true]);
        assert_eq!(sides(6, 7, 2), [true, true]);
        assert_eq!(sides(0, 1, 0), Vec::<bool>::new());
    }
}
