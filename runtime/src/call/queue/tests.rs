//! Tests of the queue.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Taker {
    receiver: QueueReceiver<u32>,
    wakes: Arc<Wakes>,
}

impl Taker {
    fn new(receiver: QueueReceiver<u32>) -> Self {
        let wakes = Arc::new(Wakes::default());
        Self { receiver, wakes }
    }

    fn take(&mut self) -> Poll<Vec<u32>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut batch = Vec::new();
        self.receiver
            .poll_take(&mut batch, &mut Context::from_waker(&waker))
            .map(|()| batch)
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

#[test]
fn takes_all_at_once_and_is_woken_once_for_it() {
    let (sender, receiver) = queue();
    let mut taker = Taker::new(receiver);
    assert_eq!(taker.take(), Poll::Pending);
    for n in 0..3 {
        sender.clone().send(n).unwrap();
    }
    assert_eq!(taker.wakes(), 1);
    assert_eq!(taker.take(), Poll::Ready(vec![0, 1, 2]));
    // The receiver is woken again without a look in between.
    sender.send(3).unwrap();
    assert_eq!(taker.wakes(), 2);
    assert_eq!(taker.take(), Poll::Ready(vec![3]));
    assert_eq!(taker.take(), Poll::Pending);
}

#[test]
fn ends_with_its_last_sender_after_what_was_pushed() {
    let (sender, receiver) = queue();
    let mut taker = Taker::new(receiver);
    assert_eq!(taker.take(), Poll::Pending);
    sender.clone().send(1).unwrap();
    assert_eq!(taker.wakes(), 1);
    assert_eq!(taker.take(), Poll::Ready(vec![1]));
    drop(sender);
    assert_eq!(taker.wakes(), 2);
    assert_eq!(taker.take(), Poll::Ready(vec![]));
}

#[test]
fn gives_back_what_nobody_takes() {
    let (sender, mut receiver) = queue();
    sender.send(1).unwrap();
    assert_eq!(receiver.close(), [1]);
    assert_eq!(sender.send(2), Err(2));
    let (sender, receiver) = queue();
    drop(receiver);
    assert_eq!(sender.send(3), Err(3));
}

/// Calls do that: dropping one ends it.
#[test]
fn what_is_dropped_with_the_receiver_may_push() {
    struct Pushes(Option<QueueSender<Pushes>>);
    impl Drop for Pushes {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                assert!(sender.send(Pushes(None)).is_err());
            }
        }
    }
    let (sender, receiver) = queue();
    let item = Pushes(Some(sender.clone()));
    assert!(sender.send(item).is_ok());
    drop(receiver);
}

#[test]
fn many_threads_lose_nothing() {
    let (sender, receiver) = queue();
    let mut taker = Taker::new(receiver);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for n in 0..1_000 {
                    sender.send(thread * 1_000 + n).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    let mut all = Vec::new();
    loop {
        match taker.take() {
            Poll::Ready(batch) if batch.is_empty() => break,
            Poll::Ready(batch) => all.extend(batch),
            Poll::Pending => std::thread::yield_now(),
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    all.sort_unstable();
    assert_eq!(all, (0..4_000).collect::<Vec<_>>());
}
