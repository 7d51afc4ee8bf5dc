//! Where editors, models and servers run: threads of their own, so that a test that ends, and blocks while
//! its harness shuts down, does not stop them.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up. Generous: only a failing test waits this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .thread_name("background")
        .enable_all()
        .build()
        .expect("a runtime can be built")
});

/// Runs a future on the background threads.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    RUNTIME.spawn(future)
}

/// Runs a future on the background threads and blocks this one until it is done: for `Drop`.
pub fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (done, wait) = std::sync::mpsc::channel();
    spawn(async move {
        let _ = done.send(future.await); // The receiver is gone only if the deadline has passed.
    });
    wait.recv_timeout(DEADLINE * 2).ok()
}
