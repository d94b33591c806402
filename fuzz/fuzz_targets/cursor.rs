//! `chancery_fuzz::cursor` with what the fuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chancery_fuzz::cursor(bytes));
