//! Test server, certificates, goldens, clock and clients for tests.
