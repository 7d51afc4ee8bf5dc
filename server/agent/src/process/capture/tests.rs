use super::*;

/// Takes an output in one piece; returns what is shown and, if any, the file that it names.
async fn capture(path: &Path, max: u64, output: &str) -> (String, Option<String>) {
    let mut capture = Capture::new(path.to_owned(), max);
    capture.push(output.as_bytes()).await;
    let shown = capture.finish().await;
    let named = shown.rsplit_once("output is in ").map(|(_, path)| path.trim_end_matches(']').to_owned());
    (shown, named.map(|path| std::fs::read_to_string(path).unwrap()))
}

#[tokio::test]
async fn a_short_output_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("outputs").join("call.txt");
    assert_eq!(capture(&path, 1 << 20, "short\n").await, ("short\n".into(), None));
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn a_file_of_output_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("call.txt");
    let (first, second) = ("1".repeat(50_000), "2".repeat(50_000));
    assert_eq!(capture(&path, 1 << 20, &first).await.1, Some(first.clone()));
    assert_eq!(capture(&path, 1 << 20, &second).await.1, Some(second));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
}

#[tokio::test]
async fn what_is_not_kept_is_not_promised() {
    let directory = tempfile::tempdir().unwrap();
    let (shown, file) = capture(&directory.path().join("call.txt"), 40_000, &"1".repeat(50_000)).await;
    assert!(shown.contains("[The first part of the output is in "));
    assert_eq!(file.unwrap().len(), 40_000);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let (shown, _) =
        capture(&directory.path().join("file").join("call.txt"), 1 << 20, &"1".repeat(50_000)).await;
    assert!(shown.contains("[The whole output could not be kept: "));
}

#[tokio::test]
async fn an_error_among_redraws_is_shown_and_every_state_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let frames: String = (0..3_000).map(|n| format!("\r\u{1b}[Kcompiling {n}/3000")).collect();
    let output = format!("{frames}\r\u{1b}[Kerror: no space left\n{frames}\n");
    let (shown, file) = capture(&directory.path().join("call.txt"), 1 << 20, &output).await;
    assert!(
        shown.starts_with(
            "error: no space left\ncompiling 2999/3000\n\n[lines left out because the command drew over them: 5999]\n"
        ),
        "{shown}"
    );
    assert_eq!(file.unwrap().matches("compiling").count(), 6_000);
}

#[tokio::test]
async fn a_secret_is_masked_wherever_it_is_cut() {
    let secret = provider::Secret::new("ghu_of_a_captured_output");
    let output = format!("a {0}\n\u{1b}[1m{0}", secret.reveal());
    for at in 0..output.len() {
        let directory = tempfile::tempdir().unwrap();
        let mut capture = Capture::new(directory.path().join("call.txt"), 1 << 20);
        let told =
            capture.push(&output.as_bytes()[..at]).await + &capture.push(&output.as_bytes()[at..]).await;
        assert_eq!(told + &capture.end().await, "a ***\n***", "cut at {at}");
        assert_eq!(capture.finish().await, "a ***\n***", "cut at {at}");
    }
}
