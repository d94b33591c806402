//! X.509: parsing, fields, containers, chains and validation.
//!
//! Pure: no input or output, no clock, no source of randomness that a caller did not ask for. Times
//! are
//! `i64` microseconds since the Unix epoch, UTC. Bytes come from anybody, so nothing here may
//! panic, recurse without a bound or allocate more than a small multiple of its input.
//!
//! Read in this order: [`certificate`] (what a certificate says), [`container`] (the files
//! certificates arrive in), [`signature`], [`validation`] (who vouches for it), [`replacement`]
//! (what follows what), and [`make`] (small certificates for demonstrations and tests).

mod asn1;
mod ber;
mod encode;
mod oid;

pub mod certificate;
pub mod container;
pub mod make;
pub mod replacement;
pub mod signature;
pub mod time;
pub mod validation;

pub use asn1::ParseError;
pub use certificate::Certificate;
