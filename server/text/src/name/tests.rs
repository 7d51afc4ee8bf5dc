use ropey::Rope;

use super::{NameError, find_name};

/// Finds the name in the line that begins with `>`, and marks the place in it.
#[track_caller]
fn check(text: &str, nth: usize, name: &str, expected: &str) {
    let line = text.lines().position(|line| line.starts_with('>')).unwrap() + 1;
    let rope = Rope::from(text);
    let shown = match find_name(&rope, line, name, nth) {
        Ok(at) => {
            let mut marked = text.to_owned();
            marked.insert(at, '|');
            marked.lines().nth(line - 1).unwrap().to_owned()
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected);
}

#[test]
fn a_name_is_found_where_it_stands_alone() {
    check("> let total = subtotal + total_of(x);", 1, "total", "> let |total = subtotal + total_of(x);");
    check("> subtotal(total)", 1, "total", "> subtotal(|total)");
    check("> é𝄞total total", 1, "total", "> é𝄞|total total");
    check("> a.total.total", 2, "total", "> a.total.|total");
    check("one\r\n> x = 1\r\nx\r\n", 1, "x", "> |x = 1");
    check("> $x = @x", 1, "@x", "> $x = |@x");
    check("> $x = 1", 1, "$x", "> |$x = 1");
    check("> 変数 = 1", 1, "変数", "> |変数 = 1");
}

#[test]
fn what_is_not_there_is_told() {
    check(
        "total\n> x\n",
        1,
        "total",
        "`total` does not stand in line 2, which is `> x`; it stands in line 1",
    );
    check(
        "total\n> x\ntotal\n",
        1,
        "total",
        "`total` does not stand in line 2, which is `> x`; it stands in lines 1, 3",
    );
    check("> subtotal", 1, "total", "`total` does not stand in line 1, which is `> subtotal`");
    check("> x x", 3, "x", "`x` stands in line 1 only 2 times");
}

#[test]
fn only_one_name_can_be_meant() {
    for name in ["", "a.b", "a::b", "f(", "two words", "a\nb"] {
        let error = find_name(&Rope::from("a.b a::b f() two words"), 1, name, 1).unwrap_err();
        assert_eq!(error, NameError::NotOneName { name: name.into() });
    }
}

#[test]
fn lines_are_those_of_the_text() {
    let text = Rope::from("x\nx");
    assert_eq!(find_name(&text, 2, "x", 0), Ok(2), "the 0th is the first");
    for line in [0, 3, usize::MAX] {
        let error = find_name(&text, line, "x", 1).unwrap_err();
        assert_eq!(error, NameError::NoSuchLine { line, total_lines: 2 });
    }
    assert_eq!(
        find_name(&text, 1, "x", usize::MAX).unwrap_err().to_string(),
        "`x` stands in line 1 only once"
    );
}

/// The five nearest, however many there are.
#[test]
fn places_elsewhere_are_few() {
    let text = "x\n".repeat(8) + "y\n" + &"x\n".repeat(8);
    let error = find_name(&Rope::from(text), 9, "x", 1).unwrap_err();
    assert!(error.to_string().ends_with("lines 6, 7, 8, 10, 11"), "{error}");
}
