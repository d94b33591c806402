//! Ids, the event envelope, the catalogue, canonical bytes and the filter.

pub mod filter;
