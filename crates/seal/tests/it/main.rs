//! Integration tests of the sealed log: other implementations as oracles, and tampering.

mod log;
mod notes;
mod oracle;
mod tamper;
mod verification;
