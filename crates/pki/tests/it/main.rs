//! The crate through its public surface, with files made by `openssl`, and with bytes nobody meant.

mod containers;
mod hostile;
mod openssl;
mod vectors;
