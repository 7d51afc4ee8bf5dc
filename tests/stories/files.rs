//! Files that are not what one would wish.

use serde_json::json;
use tests::{FakeModel, Opal, PNG, Profile, calls};

/// What one call of a tool comes to.
async fn call(
    model: &FakeModel,
    opal: &Opal,
    tool: &str,
    arguments: serde_json::Value,
) -> Result<String, String> {
    model.next(|t| t.tool(tool, arguments));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("do it").await;
    let result = turn.result().await;
    assert_eq!(turn.end().await, "completed");
    result
}

#[tokio::test]
async fn deleted_between_read_and_edit() {
    for open in [true, false] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).mode("auto_edit").file("a", "one\n");
        let opal = if open { start.open("a").await } else { start.await };
        call(&model, &opal, "read", calls::read("a")).await.unwrap();
        std::fs::remove_file(opal.path("a")).unwrap();
        let result = call(&model, &opal, "edit", calls::edit("a", "one", "two")).await;
        match open {
            // The document is still there: it is what the user sees.
            true => assert_eq!(opal.text("a"), "two\n", "{result:?}"),
            false => assert!(result.is_err() && !opal.has_file("a"), "{result:?}"),
        }
    }
}

#[tokio::test]
#[cfg(unix)]
async fn read_only() {
    use std::os::unix::fs::PermissionsExt;
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).mode("auto_edit").file("a", "one\n").await;
    std::fs::set_permissions(opal.path("a"), PermissionsExt::from_mode(0o444)).unwrap();
    let result = call(&model, &opal, "edit", calls::edit("a", "one", "two")).await;
    // Whoever may write it all the same, such as root: whole, and as read-only as before.
    let expected = if result.is_ok() { "two\n" } else { "one\n" };
    assert_eq!(opal.file("a"), expected, "{result:?}");
    let mode = std::fs::metadata(opal.path("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
}

#[tokio::test]
#[cfg(unix)]
async fn replaced_by_a_symlink_out_of_the_workspace() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").await;
    call(&model, &opal, "read", calls::read("a")).await.unwrap();
    let secret = opal.outside().join("secret");
    std::fs::write(&secret, "one\n").unwrap();
    std::fs::remove_file(opal.path("a")).unwrap();
    std::os::unix::fs::symlink(&secret, opal.path("a")).unwrap();

    for (tool, arguments) in [("edit", calls::edit("a", "one", "two")), ("read", calls::read("a"))] {
        model.next(|t| t.tool(tool, arguments));
        model.next(|t| t.text("Done."));
        let turn = opal.prompt("do it").await;
        let question = turn.until("client/confirm").await;
        assert!(question.params.to_string().contains(secret.to_str().unwrap()), "{}", question.params);
        question.deny("");
        assert_eq!(turn.end().await, "completed");
    }
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "one\n");
}

#[tokio::test]
#[cfg(unix)]
async fn a_symlinked_directory_leads_out() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("read_only").await;
    std::fs::write(opal.outside().join("secret"), "hidden\n").unwrap();
    std::os::unix::fs::symlink(opal.outside(), opal.path("link")).unwrap();
    model.next(|t| t.tool("read", calls::read("link/secret")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("do it").await;
    turn.until("client/confirm").await.deny("");
    assert_eq!(turn.end().await, "completed");
    assert!(!model.last_request().last_result().contains("hidden"));
}

#[tokio::test]
#[cfg(unix)]
async fn a_symlink_inside_stays_a_symlink() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).mode("auto_edit").file("real", "one\n").await;
    std::os::unix::fs::symlink("real", opal.path("link")).unwrap();
    call(&model, &opal, "edit", calls::edit("link", "one", "two")).await.unwrap();
    assert!(opal.path("link").is_symlink());
    assert_eq!(opal.file("real"), "two\n");
}

#[tokio::test]
async fn binary() {
    let model = FakeModel::start().await;
    let bytes = b"\x7fELF\x02\x01\x00\x00one\x00".as_slice();
    let opal = Opal::start(&model).mode("auto_edit").file("a", bytes).await;
    let refused = call(&model, &opal, "read", calls::read("a")).await.unwrap_err();
    assert!(refused.contains("binary"), "{refused}");
    call(&model, &opal, "edit", calls::edit("a", "one", "two")).await.unwrap_err();
    assert_eq!(opal.file_bytes("a"), bytes);
}

#[tokio::test]
async fn a_directory_and_a_missing_file() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("src/main.rs", "").await;
    let told = call(&model, &opal, "read", calls::read("src")).await.unwrap_err();
    assert!(told.contains("directory"), "{told}");
    let told = call(&model, &opal, "read", calls::read("src/mian.rs")).await.unwrap_err();
    assert!(told.contains("main.rs"), "near names are suggested: {told}");
    call(&model, &opal, "read", calls::read("")).await.unwrap_err();
    call(&model, &opal, "read", calls::read("a\0b")).await.unwrap_err();
}

#[tokio::test]
async fn crlf_with_a_byte_order_mark() {
    for (profile, open) in [(Profile::Opal, true), (Profile::Opal, false), (Profile::Plain, false)] {
        let model = FakeModel::start().await;
        let start =
            Opal::start(&model).profile(profile).mode("auto_edit").file("a", "\u{feff}one\r\ntwo\r\nthree");
        let opal = if open { start.open("a").await } else { start.await };
        call(&model, &opal, "read", calls::read("a")).await.unwrap();
        call(&model, &opal, "edit", calls::edit("a", "one\ntwo", "1\n2\n2b")).await.unwrap();
        assert_eq!(opal.file("a"), "\u{feff}1\r\n2\r\n2b\r\nthree", "{profile:?} open: {open}");
    }
}

#[tokio::test]
async fn mixed_line_ends_change_only_where_the_text_does() {
    for (profile, open) in [(Profile::Opal, true), (Profile::Opal, false), (Profile::Plain, false)] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).profile(profile).mode("auto_edit").file("a", "1\r\nx\ny\r\n2\r\n");
        let opal = if open { start.open("a").await } else { start.await };
        call(&model, &opal, "edit", calls::edit("a", "x\ny", "x\nz")).await.unwrap();
        assert_eq!(opal.file("a"), "1\r\nx\nz\r\n2\r\n", "{profile:?} open: {open}");
        call(&model, &opal, "read", calls::read("a")).await.unwrap();
        call(&model, &opal, "write", calls::write("a", "1\nx\nz\n2\n3\n")).await.unwrap();
        assert_eq!(opal.file("a"), "1\r\nx\nz\r\n2\r\n3\r\n", "{profile:?} open: {open}");
        call(&model, &opal, "write", calls::write("a", "new\ntext\n")).await.unwrap();
        assert_eq!(opal.file("a"), "new\r\ntext\r\n", "{profile:?} open: {open}");
    }
}

#[tokio::test]
async fn text_that_only_looks_the_same_is_found() {
    let model = FakeModel::start().await;
    let file = "cafe\u{301} zero\u{200b}width\nlast";
    let opal = Opal::start(&model).mode("auto_edit").file("a", file).open("a").await;
    call(&model, &opal, "edit", calls::edit("a", "café ", "tea ")).await.unwrap();
    call(&model, &opal, "edit", calls::edit("a", "zerowidth", "plain")).await.unwrap();
    call(&model, &opal, "edit", calls::edit("a", "last\n", "end\n")).await.unwrap();
    assert_eq!(opal.file("a"), "tea plain\nend");
}

#[tokio::test]
async fn too_many_edits_in_one_call_are_refused() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").await;
    let one = calls::edit("a", "one", "two")["edits"][0].clone();
    let many = serde_json::json!({ "path": "a", "edits": vec![one; 10_000] });
    let told = call(&model, &opal, "edit", many).await.unwrap_err();
    assert!(told.contains("10000 edits were given") && told.contains("at most 1000"), "{told}");
    assert_eq!(opal.file("a"), "one\n");
}

#[tokio::test]
async fn no_final_newline() {
    for profile in [Profile::Opal, Profile::Plain] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).profile(profile).mode("auto_edit").file("a", "one\ntwo").await;
        call(&model, &opal, "edit", calls::edit("a", "two", "three")).await.unwrap();
        assert_eq!(opal.file("a"), "one\nthree");
    }
}

#[tokio::test]
async fn fifty_megabytes() {
    let model = FakeModel::start().await;
    let line = "a line of some length that fills a file up, again and again\n";
    let mut text = line.repeat(50_000_000 / line.len());
    text.push_str("the one\n");
    let opal = Opal::start(&model).mode("auto_edit").file("a", &text).await;
    let told = call(&model, &opal, "read", calls::read("a")).await;
    let told = told.unwrap_or_else(|error| error);
    assert!(told.len() < 60_000, "{} bytes are told", told.len());
    match call(&model, &opal, "edit", calls::edit("a", "the one", "the other")).await {
        Ok(_) => assert!(opal.file("a") == text.replace("the one", "the other")),
        Err(_) => assert!(opal.file("a") == text, "an edit that failed left something behind"),
    }
}

#[tokio::test]
async fn one_very_long_line() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "x".repeat(3_000_000)).await;
    let told = call(&model, &opal, "read", calls::read("a")).await.unwrap_or_else(|error| error);
    assert!(told.len() < 60_000, "{} bytes are told", told.len());
}

#[tokio::test]
async fn utf16() {
    let model = FakeModel::start().await;
    let encode = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let opal =
        Opal::start(&model).profile(Profile::Plain).mode("auto_edit").file("a", encode("één\r\n")).await;
    assert!(call(&model, &opal, "read", calls::read("a")).await.unwrap().contains("één"));
    call(&model, &opal, "edit", calls::edit("a", "één", "twee")).await.unwrap();
    assert_eq!(opal.file_bytes("a"), encode("twee\r\n"));
}

#[tokio::test]
async fn a_new_file_in_a_new_directory() {
    for profile in [Profile::Opal, Profile::Emacs, Profile::Plain] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).profile(profile).mode("auto_edit").await;
        call(&model, &opal, "write", calls::write("new/dir/file.txt", "hello\n")).await.unwrap();
        assert_eq!(opal.file("new/dir/file.txt"), "hello\n", "{profile:?}");
    }
}

#[tokio::test]
async fn an_existing_file_is_read_before_it_is_written() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").await;
    let told = call(&model, &opal, "write", calls::write("a", "two\n")).await.unwrap_err();
    assert!(told.contains("read"), "{told}");
    call(&model, &opal, "read", calls::read("a")).await.unwrap();
    call(&model, &opal, "write", calls::write("a", "two\n")).await.unwrap();
    call(&model, &opal, "write", calls::write("a", "three\n")).await.unwrap();
    opal.put_file("a", "changed by another\n");
    assert_eq!(opal.file("a"), "changed by another\n");
}

#[tokio::test]
async fn nothing_is_left_beside_a_written_file() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).mode("auto_edit").file("a", "one\n").await;
    call(&model, &opal, "edit", calls::edit("a", "one", "two")).await.unwrap();
    call(&model, &opal, "write", calls::write("b", "new\n")).await.unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(opal.directory()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn an_image_is_one_by_its_content() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model)
        .file("picture.jpg", PNG)
        .file("noise.png", b"\x89PNG\r\n\x1a\nand so on")
        .file("pointer.png", "version https://git-lfs.github.com/spec/v1\n")
        .file("empty.png", "")
        .await;
    call(&model, &opal, "read", calls::read("picture.jpg")).await.unwrap();
    let shown = serde_json::to_string(model.last_request().input()).unwrap();
    assert!(shown.contains("data:image/png;base64,"), "{shown}");
    // A service refuses what is no image, and the whole conversation with it.
    let noise = call(&model, &opal, "read", calls::read("noise.png")).await.unwrap_err();
    assert_eq!(
        noise,
        "the image noise.png cannot be shown: it begins like a PNG but is cut off or damaged. Check the file, or \
         make the image again."
    );
    let pointer = call(&model, &opal, "read", calls::read("pointer.png")).await.unwrap();
    assert!(pointer.contains("git-lfs"), "{pointer}");
    let empty = call(&model, &opal, "read", calls::read("empty.png")).await.unwrap();
    assert!(empty.contains("empty"), "{empty}");
}

#[tokio::test]
async fn writing_what_stands_there_already() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").await;
    call(&model, &opal, "read", calls::read("a")).await.unwrap();
    let told = call(&model, &opal, "write", calls::write("a", "one\n")).await.unwrap();
    assert!(told.contains("nothing was changed"), "{told}");
    assert_eq!(opal.editor.count("client/confirm"), 0);
}

/// `line 1` to `line 5000`.
fn many_lines() -> String {
    (1..=5_000).map(|n| format!("line {n}\n")).collect()
}

#[tokio::test]
async fn write_after_a_partial_read_is_refused() {
    for profile in [Profile::Opal, Profile::Plain] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).profile(profile).mode("auto_edit").file("a", many_lines()).await;
        call(&model, &opal, "read", json!({ "path": "a", "limit": 10 })).await.unwrap();
        let told = call(&model, &opal, "write", calls::write("a", "short\n")).await.unwrap_err();
        assert!(told.contains(r#"{"path": "a", "offset": 11}"#), "{told}");
        // A part of it is the model's own now, and the rest is as unseen as before.
        call(&model, &opal, "edit", calls::edit("a", "line 4000\n", "LINE 4000\n")).await.unwrap();
        let told = call(&model, &opal, "write", calls::write("a", "short\n")).await.unwrap_err();
        assert!(told.contains(r#""offset": 11}"#), "{told}");
        assert_eq!(opal.file("a"), many_lines().replace("line 4000\n", "LINE 4000\n"), "{profile:?}");
        // Several reads add up.
        for offset in [11, 2_011, 4_011] {
            call(&model, &opal, "read", json!({ "path": "a", "offset": offset })).await.unwrap();
        }
        call(&model, &opal, "edit", calls::edit("a", "line 3000\n", "")).await.unwrap();
        call(&model, &opal, "write", calls::write("a", "short\n")).await.unwrap();
        assert_eq!(opal.file("a"), "short\n", "{profile:?}");
    }
}

#[tokio::test]
async fn an_attachment_that_was_not_sent_was_not_seen() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").await;
    let file = |name: &str| json!({ "type": "file", "uri": format!("file://{}", opal.path(name).display()) });
    let attachments = json!([file("a"), file("missing")]);
    let params = json!({ "session_id": opal.session, "text": "look", "attachments": attachments });
    assert_eq!(opal.prompt_with(params).await.end().await, "error");
    let told = call(&model, &opal, "write", calls::write("a", "two\n")).await.unwrap_err();
    assert!(told.contains("you have not read it"), "{told}");
}

#[tokio::test]
async fn a_text_that_somebody_else_changed_is_read_again() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").await;
    call(&model, &opal, "read", calls::read("a")).await.unwrap();
    opal.put_file("a", "two\n");
    let told = call(&model, &opal, "write", calls::write("a", "three\n")).await.unwrap_err();
    assert!(told.contains("changed since you read it"), "{told}");
    let told = call(&model, &opal, "edit", calls::edit("a", "two", "2")).await.unwrap();
    assert!(told.contains("had changed since you read it"), "{told}");
}

#[tokio::test]
async fn a_line_that_was_cut_was_not_seen() {
    let model = FakeModel::start().await;
    let text = format!("one\n{}\ntwo\n", "x".repeat(3_000));
    let opal = Opal::start(&model).mode("auto_edit").file("a", &text).await;
    let shown = call(&model, &opal, "read", calls::read("a")).await.unwrap();
    for content in [shown.as_str(), "two\n"] {
        let told = call(&model, &opal, "write", calls::write("a", content)).await.unwrap_err();
        assert!(told.contains("its line 2 is longer than `read` shows"), "{told}");
    }
    // A copy would be no copy.
    let told = call(&model, &opal, "write", calls::write("b", &shown)).await.unwrap_err();
    assert!(told.contains("`… [1000 more characters in this line]`"), "{told}");
    assert!(!opal.has_file("b"));
    assert_eq!(opal.file("a"), text);
}

#[tokio::test]
async fn a_copied_notice_is_refused_unless_the_file_has_it() {
    let model = FakeModel::start().await;
    let notice = "[5000 lines in all; go on with offset 11]";
    let opal = Opal::start(&model)
        .mode("auto_edit")
        .file("a", many_lines())
        .file("read.rs", format!("expect![\"{notice}\"]\n"))
        .await;
    let shown = call(&model, &opal, "read", json!({ "path": "a", "limit": 10 })).await.unwrap();
    assert!(shown.ends_with(notice), "{shown}");
    let told = call(&model, &opal, "edit", calls::edit("a", "line 1\n", &shown)).await.unwrap_err();
    assert!(told.contains(notice) && told.contains("`edit`"), "{told}");
    assert_eq!(opal.file("a"), many_lines());

    let edit = calls::edit("read.rs", notice, &format!("more {notice}"));
    call(&model, &opal, "edit", edit).await.unwrap();
    assert_eq!(opal.file("read.rs"), format!("expect![\"more {notice}\"]\n"));
}

#[tokio::test]
async fn arguments_that_can_mean_only_one_thing_are_taken() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\ntwo\n").await;
    let read = call(&model, &opal, "read", r#"{"path": "a", "offset": "2", "limit": null,}"#.into()).await;
    assert_eq!(read.unwrap(), "two\n");
    let edits = json!([{ "old_text": "one", "new_text": "1" }]).to_string();
    call(&model, &opal, "edit", json!({ "path": "a", "edits": edits })).await.unwrap();
    assert_eq!(opal.file("a"), "1\ntwo\n");
    let told = call(&model, &opal, "edit", json!({ "path": "a", "edits": 5 })).await.unwrap_err();
    assert_eq!(
        told,
        r#"bad arguments: `edits[0]`: an object is wanted, not a number. Send them in this form: {"edits":[{"new_text":"...","old_text":"..."}],"path":"..."}"#
    );
}

#[tokio::test]
async fn a_tilde_is_the_home_directory_which_is_outside() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").await;
    model.next(|t| t.tool("write", calls::write("~/made-by-opal/x.txt", "x\n")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("do it").await;
    let question = turn.until("client/confirm").await;
    let home = std::env::home_dir().unwrap().canonicalize().unwrap().join("made-by-opal");
    assert!(question.params.to_string().contains(home.to_str().unwrap()), "{}", question.params);
    question.deny("");
    assert_eq!(turn.end().await, "completed");
    assert!(!opal.has_file("~"));
    call(&model, &opal, "write", calls::write("./~/x.txt", "x\n")).await.unwrap();
    assert_eq!(opal.file("~/x.txt"), "x\n");
}

#[tokio::test]
async fn a_slip_in_a_path_gets_a_suggestion() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("src/main.rs", "one\n").await;
    for path in ["\"src/main.rs\"", "@src/main.rs", "src/main.rs \n", "src/main.rs:12", "file://src/main.rs"]
    {
        for (tool, arguments) in [
            ("read", calls::read(path)),
            ("edit", calls::edit(path, "one", "two")),
            ("write", calls::write(path, "two\n")),
        ] {
            let told = call(&model, &opal, tool, arguments).await.unwrap_err();
            assert!(told.contains("src/main.rs") && told.contains("does"), "{tool} {path}: {told}");
        }
    }
    let told = call(&model, &opal, "write", calls::write("'new.rs'", "x\n")).await.unwrap_err();
    assert!(told.contains("did you mean new.rs?"), "{told}");
    let names: Vec<_> = std::fs::read_dir(opal.directory()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    call(&model, &opal, "write", calls::write("@types/index.d.ts", "x\n")).await.unwrap();
    call(&model, &opal, "write", calls::write("./@src/main.rs", "x\n")).await.unwrap();
    assert!(opal.has_file("@types/index.d.ts") && opal.has_file("@src/main.rs"));
    assert_eq!(opal.file("src/main.rs"), "one\n");
}

#[tokio::test]
async fn a_file_that_is_refused_comes_with_the_way_out() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model)
        .mode("auto_edit")
        .file("latin", b"caf\xe9\n")
        .file("binary", b"\x7fELF\x00\x00")
        .file("directory/a", "")
        .await;
    for (path, way_out) in [
        ("latin", "iconv -f ISO-8859-1 -t UTF-8"),
        ("binary", "xxd FILE | head"),
        ("directory", "`ls`"),
        ("missing", "`find`"),
    ] {
        let told = call(&model, &opal, "read", calls::read(path)).await.unwrap_err();
        assert!(told.contains(way_out), "{told}");
        let told = call(&model, &opal, "edit", calls::edit(path, "a", "b")).await.unwrap_err();
        assert!(told.contains(if path == "missing" { "use `write`" } else { way_out }), "{told}");
    }
}
