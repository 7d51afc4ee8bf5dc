use expect_test::expect;

use super::*;

#[test]
fn ids_that_do_not_fit_get_a_name_made_of_them() {
    let long = "c".repeat(65);
    let (mut shown, at_limit) = (String::new(), &long[1..]);
    for (ids, id) in [
        (CallIds::UpTo(64), "call_1-A"),
        (CallIds::UpTo(64), at_limit),
        (CallIds::UpTo(64), &long),
        (CallIds::UpTo(40), at_limit),
        (CallIds::UpTo(40), "functions.read:0"),
        (CallIds::UpTo(40), "call_"),
        (CallIds::UpTo(40), ""),
        (CallIds::Nine, "aB3dE6gH9"),
        (CallIds::Nine, "call_1-A9"),
        (CallIds::Nine, "call_1"),
    ] {
        let sent = ids.fit(id);
        assert_eq!(ids.fit(&sent), sent, "a made one fits");
        shown += &format!("{ids:?} {id:.16} -> {}\n", if sent == id { "itself" } else { &sent });
    }
    expect![[r#"
        UpTo(64) call_1-A -> itself
        UpTo(64) cccccccccccccccc -> itself
        UpTo(64) cccccccccccccccc -> call_3a63333ca02a2b8cad192aa56f89229a
        UpTo(40) cccccccccccccccc -> call_71e2fb597e54a78ddb2a571817ec1e4d
        UpTo(40) functions.read:0 -> call_284adafcda839f95f6b737ae5d9cad96
        UpTo(40) call_ -> call_4b38bc1d3983d94f70814abccf59e902
        UpTo(40)  -> call_6c62272e07bb014262b821756295c58d
        Nine aB3dE6gH9 -> itself
        Nine call_1-A9 -> i6mit8h0x
        Nine call_1 -> x8kl0q3n9
    "#]]
    .assert_eq(&shown);
}

#[test]
fn names_that_models_make_up_can_be_sent() {
    for (name, sent) in [("read_file", "read_file"), ("functions.read", "functions_read"), ("", "unnamed")] {
        assert_eq!(tool_name(name), sent);
    }
    assert_eq!(tool_name(&"é".repeat(100)), "_".repeat(64));
}
