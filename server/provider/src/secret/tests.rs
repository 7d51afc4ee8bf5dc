use super::*;

#[test]
fn known_secrets_are_masked_wherever_they_stand() {
    let short = Secret::new("sec-1");
    let one = Secret::new(" sec-of-masking-1\n");
    let longer = Secret::new("sec-of-masking-1-and-more");
    assert_eq!(format!("{short:?} {one:?} {longer:?}"), "*** *** ***");
    assert_eq!(one.reveal(), "sec-of-masking-1");
    for (text, masked) in [
        ("nothing", "nothing"),
        ("sec-1", "sec-1"),
        ("a=sec-of-masking-1,b=sec-of-masking-1", "a=***,b=***"),
        ("sec-of-masking-1-and-more", "***"),
        ("sec-of-masking-1-and-less", "***-and-less"),
        ("[sec-of-masking-1]\n", "[***]\n"),
    ] {
        assert_eq!(mask(text), masked);
    }
}

#[test]
fn a_secret_in_use_is_found_in_other_values() {
    let word = Secret::new("sec-word");
    let secret = Secret::new("sec-of-use-0000001");
    let same = Secret::new("sec-of-use-0000001");
    let check = |value: &[u8], expected| {
        assert_eq!(holds_secret(value), expected, "{}", String::from_utf8_lossy(value));
    };
    check(b" sec-of-use-0000001\n", true);
    check(b"https://user:sec-of-use-0000001@host/", true);
    check(b"\xff sec-of-use-0000001", true);
    check(b"sec-of-use-000000", false);
    check(b"", false);
    check(b"sec-word", true);
    check(b"/home/me/sec-word/bin:/usr/bin", false);
    drop(secret);
    check(b"sec-of-use-0000001", true);
    drop((same, word));
    check(b"sec-of-use-0000001", false);
}

#[test]
fn a_secret_that_is_cut_anywhere() {
    let _secrets = ["sec-of-pieces-ä1", "sec-sec-of-pieces-2"].map(Secret::new);
    let text = "x sec-of-pieces-ä1 sec-sec-sec-of-pieces-2 sec-of-pieces-ä and ä";
    let masked = "x *** sec-*** sec-of-pieces-ä and ä";
    for size in 1..text.chars().count() {
        let mut masker = Masker::default();
        let mut shown = String::new();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            shown.push_str(&masker.push(&piece.iter().collect::<String>()));
            assert!(masked.starts_with(&shown), "{size}: {shown}");
        }
        shown.push_str(&masker.finish());
        assert_eq!(shown, masked, "{size}");
    }
}

#[test]
fn only_what_may_become_a_secret_is_held_back() {
    let _secret = Secret::new("sec-of-holding-1");
    let mut masker = Masker::default();
    assert_eq!(masker.push("Password: "), "Password: ");
    assert_eq!(masker.push("sec-of-"), "");
    assert_eq!(masker.push("the barn"), "sec-of-the barn");
    assert_eq!(masker.push(" sec-of"), " ");
    assert_eq!(masker.finish(), "sec-of");
    assert_eq!(masker.finish(), "");
}

/// Ten thousand exchanges, and one key that is older than all of them.
#[test]
fn old_tokens_are_forgotten_only_when_nobody_has_them() {
    let key = Secret::new("sec-of-a-key-that-stays");
    let mut latest = None;
    for n in 0..10_000 {
        latest = Some(Secret::new(format!("sec-of-an-exchange-{n}")));
    }
    assert_eq!(mask(key.reveal()), "***");
    assert_eq!(mask(latest.unwrap().reveal()), "***");
    assert!(KNOWN.read().unwrap().len() < 2 * MANY);
}
