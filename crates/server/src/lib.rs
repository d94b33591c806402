//! The binary: configuration, wiring, command line, shutdown.
