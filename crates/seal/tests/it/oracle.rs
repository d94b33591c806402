//! Roots and proofs compared with `tlog_tiles` and `ct-merkle`, and with the RFC 6962 test vectors.

use std::collections::HashMap;

use chancery_seal::hash::{Hash, empty_root, leaf_hash};
use chancery_seal::proof::{
    consistency_proof, inclusion_proof, tiles_for_consistency, tiles_for_inclusion,
    verify_consistency, verify_inclusion,
};
use chancery_seal::tile::{Tile, TileId};
use chancery_seal::tree::Edge;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use tlog_tiles::HashReader;

/// The hashes that `tlog_tiles` stores, in its own order.
struct Stored(Vec<tlog_tiles::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// Our tiles of a tree of `size` entries, and its edge.
fn ours(size: u64) -> (HashMap<TileId, Vec<u8>>, Edge) {
    let mut edge = Edge::empty();
    let full = edge.append_many((0..size).map(|n| leaf_hash(&entry(n))));
    let all = full.into_iter().chain(edge.partial_tiles());
    (all.map(|Tile { id, bytes }| (id, bytes)).collect(), edge)
}

fn theirs(size: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for n in 0..size {
        let new = tlog_tiles::stored_hashes(n, &entry(n), &stored).unwrap();
        stored.0.extend(new);
    }
    stored
}

fn plain(hashes: &[Hash]) -> Vec<[u8; 32]> {
    hashes.iter().map(|hash| hash.0).collect()
}

#[test]
fn rfc_6962_vectors() {
    // The leaves and roots that the reference implementation of RFC 6962 tests with.
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut edge = Edge::empty();
    for (leaf, root) in leaves.iter().zip(roots) {
        edge.append(leaf_hash(leaf));
        let hex: String = edge.root().0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, root, "{}", edge.size());
    }
}

#[test]
fn roots_and_tiles_of_all_small_trees() {
    let mut memory: MemoryBackedTree<Sha256, Vec<u8>> = MemoryBackedTree::new();
    let stored = theirs(1200);
    let mut edge = Edge::empty();
    for n in 0..1200 {
        memory.push(entry(n));
        for full in edge.append(leaf_hash(&entry(n))) {
            let tile = tlog_tiles::Tile::new(8, full.id.level(), full.id.index(), 256, false);
            assert_eq!(full.bytes, tile.read_data(&stored).unwrap());
        }
        let root = tlog_tiles::tree_hash(n + 1, &stored).unwrap();
        assert_eq!(edge.root().0, root.0, "{n}");
        assert_eq!(&edge.root().0[..], &memory.root().as_bytes()[..], "{n}");
        for partial in edge.partial_tiles() {
            let id = partial.id;
            let width = u32::from(id.width());
            let tile = tlog_tiles::Tile::new(8, id.level(), id.index(), width, false);
            assert_eq!(partial.bytes, tile.read_data(&stored).unwrap());
            let path = id.to_string().replacen("tile/", "tile/8/", 1);
            assert_eq!(path, tile.path());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inclusion(size in 1u64..1500, pick in any::<prop::sample::Index>(), bit in 0usize..256) {
        let index = pick.index(usize::try_from(size).unwrap()) as u64;
        let (tiles, edge) = ours(size);
        // Only the tiles announced beforehand are there.
        let announced = tiles_for_inclusion(index, size);
        let few: HashMap<_, _> = announced.iter().map(|id| (*id, tiles[id].clone())).collect();
        let proof = inclusion_proof(&few, index, size).unwrap();
        let stored = theirs(size);
        let expected = tlog_tiles::prove_record(size, index, &stored).unwrap();
        prop_assert_eq!(plain(&proof), expected.iter().map(|hash| hash.0).collect::<Vec<_>>());
        let leaf = leaf_hash(&entry(index));
        let root = edge.root();
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));

        let ct = ct_merkle::InclusionProof::<Sha256>::try_from_bytes(plain(&proof).concat()).unwrap();
        let ct_root = ct_merkle::RootHash::<Sha256>::new(root.0.into(), size);
        prop_assert!(ct_root.verify_inclusion(&entry(index), index, &ct).is_ok());

        // Nothing else verifies.
        for other in [index ^ 1, index + 1, size] {
            prop_assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
        }
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(&leaf, index, size, &changed, &root).is_err());
            prop_assert!(verify_inclusion(&leaf, index, size, &proof[..at], &root).is_err());
        }
        let mut longer = proof.clone();
        longer.push(root);
        prop_assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
    }

    #[test]
    fn consistency(new in 1u64..1500, pick in any::<prop::sample::Index>(), bit in 0usize..256) {
        let old = pick.index(usize::try_from(new).unwrap()) as u64 + 1;
        let (tiles, edge) = ours(new);
        let old_root = ours(old).1.root();
        let root = edge.root();
        let announced = tiles_for_consistency(old, new);
        let few: HashMap<_, _> = announced.iter().map(|id| (*id, tiles[id].clone())).collect();
        let proof = consistency_proof(&few, old, new).unwrap();
        let stored = theirs(new);
        let expected = tlog_tiles::prove_tree(new, old, &stored).unwrap();
        prop_assert_eq!(plain(&proof), expected.iter().map(|hash| hash.0).collect::<Vec<_>>());
        prop_assert_eq!(verify_consistency(old, &old_root, new, &root, &proof), Ok(()));

        let ct = ct_merkle::ConsistencyProof::<Sha256>::try_from_bytes(plain(&proof).concat()).unwrap();
        let ct_root = |hash: Hash, size| ct_merkle::RootHash::<Sha256>::new(hash.0.into(), size);
        let verdict = ct_root(root, new).verify_consistency(&ct_root(old_root, old), &ct);
        prop_assert!(verdict.is_ok());

        let mut wrong = old_root;
        wrong.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(old, &wrong, new, &root, &proof).is_err());
        let mut wrong = root;
        wrong.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_consistency(old, &old_root, new, &wrong, &proof).is_err());
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, &old_root, new, &root, &changed).is_err());
            prop_assert!(verify_consistency(old, &old_root, new, &root, &proof[..at]).is_err());
        }
        let mut longer = proof.clone();
        longer.push(root);
        prop_assert!(verify_consistency(old, &old_root, new, &root, &longer).is_err());
    }

    #[test]
    fn no_input_makes_verification_panic(
        a in any::<u64>(),
        b in any::<u64>(),
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        let root = empty_root();
        prop_assert!(verify_inclusion(&root, a, b, &proof, &root).is_err());
        // The outcome does not matter, the return does.
        let _ = verify_consistency(a, &root, b, &root, &proof);
        let nothing: HashMap<TileId, Vec<u8>> = HashMap::new();
        let _ = inclusion_proof(&nothing, a, b);
        let _ = consistency_proof(&nothing, a, b);
        let _ = tiles_for_inclusion(a, b);
        let _ = tiles_for_consistency(a, b);
    }
}

#[test]
fn the_edges_of_consistency() {
    let root = leaf_hash(b"x");
    let empty = empty_root();
    assert!(verify_consistency(0, &empty, 0, &empty, &[]).is_ok());
    assert!(verify_consistency(0, &empty, 1, &root, &[]).is_ok());
    assert!(verify_consistency(1, &root, 1, &root, &[]).is_ok());
    assert!(verify_consistency(0, &root, 1, &root, &[]).is_err());
    assert!(verify_consistency(0, &root, 0, &root, &[]).is_err());
    assert!(verify_consistency(1, &empty, 1, &root, &[]).is_err());
    assert!(verify_consistency(1, &root, 1, &root, &[root]).is_err());
    assert!(verify_consistency(2, &root, 1, &root, &[]).is_err());
    assert!(verify_consistency(1, &root, 2, &root, &[]).is_err());
}
