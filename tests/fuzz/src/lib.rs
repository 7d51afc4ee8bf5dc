//! What the fuzzers share: reading one input as several things.

/// Parts the fields of one input. The byte is in no UTF-8 text.
pub const SEPARATOR: u8 = 0xff;

/// Returns the fields of an input as texts.
pub fn fields(input: &[u8]) -> Vec<String> {
    input.split(|byte| *byte == SEPARATOR).map(|field| String::from_utf8_lossy(field).into_owned()).collect()
}

/// Cuts bytes into pieces of 1 to 16 bytes, and now and then an empty one, as a seed says.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, after) = rest.split_at((state >> 24) as usize % 17 % (rest.len() + 1));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Cuts bytes into single ones.
pub fn bytewise(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

/// Checks that it does not matter in which pieces a stream comes. The first byte of the input says how
/// some are cut.
pub fn check_pieces<T: PartialEq + std::fmt::Debug>(input: &[u8], play: impl Fn(&[&[u8]]) -> T) {
    let Some((seed, stream)) = input.split_first() else { return };
    let whole = play(&[stream]);
    assert_eq!(play(&bytewise(stream)), whole, "byte by byte");
    assert_eq!(play(&pieces(stream, *seed)), whole, "in pieces");
}
