//! Integration tests of the event crate, in one binary.

mod speed;
