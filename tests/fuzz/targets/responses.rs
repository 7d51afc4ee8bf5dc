#![no_main]
//! The decoder of one family of services: whatever comes, in whatever pieces, it does not panic.

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::check_pieces(input, provider::fuzzing::responses));
