use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::sync::Notify;

use super::*;

fn failure() -> ProviderError {
    ProviderError::Cut { provider: "work".into(), message: "gone".into() }
}

#[tokio::test]
async fn one_fetch_for_all_who_wait() {
    let kept = Arc::new(Kept::<usize>::default());
    let (gate, n_fetches) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let get = || {
        let (kept, gate, n_fetches) = (kept.clone(), gate.clone(), n_fetches.clone());
        async move {
            let fetch = async move |_| {
                gate.notified().await;
                Ok(n_fetches.fetch_add(1, Ordering::SeqCst))
            };
            kept.get(|_| true, fetch).await
        }
    };
    // Who asked first gives up, and so does everybody, for a moment.
    let mut first = Box::pin(get());
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    gate.notify_one();
    let values = join_all((0..50).map(|_| get())).await;
    assert!(values.into_iter().all(|value| *value.unwrap() == 0));
    assert_eq!(n_fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failure_is_told_to_all_and_kept_by_none() {
    let kept = Arc::new(Kept::<usize>::default());
    let get = |outcome: Result<usize, ProviderError>| kept.get(|_| true, async move |_| outcome);
    let failed = join_all((0..3).map(|_| get(Err(failure())))).await;
    assert!(failed.iter().all(|value| matches!(value, Err(ProviderError::Cut { .. }))));
    assert_eq!(*get(Ok(7)).await.unwrap(), 7);
    assert_eq!(*get(Ok(8)).await.unwrap(), 7);
    kept.forget(|value| *value == 8);
    assert_eq!(*get(Ok(8)).await.unwrap(), 7);
    kept.forget(|value| *value == 7);
    assert_eq!(*get(Ok(8)).await.unwrap(), 8);
}

#[tokio::test]
async fn what_is_stale_is_shown_to_the_fetch_and_survives_its_failure() {
    let kept = Arc::new(Kept::<usize>::default());
    kept.get(|_| true, async |_| Ok(1)).await.unwrap();
    let seen = kept.get(|_| false, async |old: Option<Arc<usize>>| Ok(*old.unwrap() + 1)).await.unwrap();
    assert_eq!(*seen, 2);
    assert!(kept.get(|_| false, async |_| Err(failure())).await.is_err());
    assert_eq!(*kept.get(|_| true, async |_| Ok(3)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_fetch_that_panics_is_an_error_once() {
    let kept = Arc::new(Kept::<usize>::default());
    let error = kept.get(|_| true, async |_| panic!("as it is meant to")).await.unwrap_err();
    assert_eq!(error.code(), "cut");
    assert_eq!(*kept.get(|_| true, async |_| Ok(1)).await.unwrap(), 1);
}
