//! A GitHub to sign in to by hand: `github DATA_DIR [POLLS]` writes a `config.toml` for it there, and serves
//! until it is ended. The user enters the code so many polls after it was shown, three if nothing is said.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tests::GitHub;
use tests::github::Poll;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().context("github DATA_DIR [POLLS]")?);
    let n_polls = arguments.next().map_or(Ok(3), |n| n.parse()).context("POLLS")?;
    let github = GitHub::start().await;
    github.pace(1, 900);
    github.model.always(|t| t.text("Hello from a double."));
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("config.toml"), github.config())?;
    for n in 1.. {
        github.user((1..n_polls).map(|_| Poll::Pending).chain([Poll::Granted]));
        // For as long as a person takes, so not by the deadline that stories have.
        while github.n_asked() < n * (n_polls + 1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
