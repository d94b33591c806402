//! Integration tests of the sealed log: other implementations as oracles, and tampering.

mod notes;
mod oracle;
