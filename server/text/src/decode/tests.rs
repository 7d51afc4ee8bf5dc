use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::any_text;

#[track_caller]
fn check_decode(bytes: &[u8], decoded: Expect) {
    let shown = match decode(bytes) {
        Ok(Decoded { text, encoding }) => {
            assert_eq!(encode(&text, encoding), bytes);
            format!("{encoding:?} {text:?}")
        }
        Err(error) => error.to_string(),
    };
    decoded.assert_eq(&shown);
}

#[test]
fn knows_the_unicode_encodings() {
    check_decode(b"", expect![[r#"Utf8 """#]]);
    check_decode("é\r\n".as_bytes(), expect![[r#"Utf8 "é\r\n""#]]);
    check_decode(b"\xEF\xBB\xBFa", expect![[r#"Utf8Bom "a""#]]);
    check_decode(b"\xFF\xFEa\0\x3D\xD8\0\xDE", expect![[r#"Utf16Le "a😀""#]]);
    check_decode(b"\xFE\xFF\0a\xD8\x3D\xDE\0", expect![[r#"Utf16Be "a😀""#]]);
}

#[test]
fn only_the_first_mark_is_one() {
    check_decode(b"\xEF\xBB\xBF\xEF\xBB\xBFa", expect![[r#"Utf8Bom "\u{feff}a""#]]);
}

#[test]
fn refuses_other_encodings() {
    check_decode(b"caf\xE9", expect!["file is neither UTF-8 nor UTF-16 with a byte order mark"]);
    check_decode(b"\xFF\xFEa", expect!["file is neither UTF-8 nor UTF-16 with a byte order mark"]);
    check_decode(b"\xFF\xFE\0\xD8a\0", expect!["file is neither UTF-8 nor UTF-16 with a byte order mark"]);
    // UTF-32, whose mark begins like that of UTF-16.
    check_decode(b"\xFF\xFE\0\0a\0\0\0", expect!["file is binary"]);
}

#[test]
fn refuses_binaries() {
    check_decode(b"\x7FELF\0", expect!["file is binary"]);
    check_decode(b"ab\x01\x02cd\x03", expect!["file is binary"]);
    check_decode(b"abcdefg\x01", expect![[r#"Utf8 "abcdefg\u{1}""#]]);
    check_decode(b"\x1B[1mbold\x1B[0m\t\x0C\n", expect![[r#"Utf8 "\u{1b}[1mbold\u{1b}[0m\t\u{c}\n""#]]);
}

#[test]
fn only_the_beginning_tells_a_binary() {
    let mut bytes = vec![b'a'; PROBE_BYTES];
    bytes.push(0);
    assert!(decode(&bytes).is_ok());
    bytes[PROBE_BYTES - 1] = 0;
    assert_eq!(decode(&bytes), Err(DecodeError::Binary));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_encoded_is_decoded(text in any_text()) {
        for encoding in [Encoding::Utf8, Encoding::Utf8Bom, Encoding::Utf16Le, Encoding::Utf16Be] {
            let bytes = encode_rope(&Rope::from_str(&text), encoding);
            prop_assert_eq!(&bytes, &encode(&text, encoding));
            prop_assert_eq!(decode(&bytes), Ok(Decoded { text: text.clone(), encoding }));
        }
    }
}
