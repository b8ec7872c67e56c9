//! The rows. The channels are the ones that Tokio's own tutorial would take for the purpose.

use crate::{print_result, status_bytes, warmed, Job, Stopwatch};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

pub async fn spawn_exit(job: Job) {
    let n = job.number("n", 1_000_000);
    let run = |n: usize| async move {
        let mut handles = Vec::with_capacity(100);
        for _ in 0..n / 100 {
            for _ in 0..100 {
                handles.push(tokio::spawn(async {}));
            }
            for handle in handles.drain(..) {
                handle.await.unwrap();
            }
        }
    };
    warmed(n, run).await.print_time("spawn_exit", n);
}

/// `n` tasks that wait for a message each: for a oneshot, the smallest thing to wait for.
pub async fn waiting(n: usize) -> Vec<oneshot::Sender<u32>> {
    let mut senders = Vec::with_capacity(n);
    let mut arrived = 0;
    let (here, mut all) = mpsc::channel::<()>(1000);
    for left in (0..n).rev() {
        let (sender, receiver) = oneshot::channel::<u32>();
        senders.push(sender);
        let here = here.clone();
        tokio::spawn(async move {
            here.send(()).await.unwrap();
            drop(here);
            receiver.await.unwrap_or(0);
        });
        if left % 100 == 0 {
            while arrived < senders.len() && all.recv().await.is_some() {
                arrived += 1;
            }
        }
    }
    senders
}

pub async fn spawn_idle(job: Job) {
    let n = job.number("n", 1_000_000);
    let few = waiting(1000).await;
    let before = status_bytes("VmRSS");
    let watch = Stopwatch::start();
    let all = waiting(n).await;
    watch.print_time("spawn_idle", n);
    // The senders' ends in our vector are ours, not the tasks'.
    print_result("idle_bytes", (status_bytes("VmRSS") - before) / n as f64 - 8.0, "B");
    std::mem::forget((few, all));
}

pub async fn ping_pong(job: Job) {
    let n = job.number("n", 1_000_000);
    let run = |n: usize| async move {
        let (ping, mut pinged) = mpsc::unbounded_channel::<u32>();
        let (pong, mut ponged) = mpsc::unbounded_channel::<u32>();
        tokio::spawn(async move {
            while let Some(p) = pinged.recv().await {
                pong.send(p).unwrap();
            }
        });
        let player = tokio::spawn(async move {
            for i in 0..n {
                ping.send(i as u32).unwrap();
                ponged.recv().await.unwrap();
            }
        });
        player.await.unwrap();
    };
    warmed(n, run).await.print_time("ping_pong", n);
}

pub async fn ring(job: Job) {
    let (n, tokens, size) =
        (job.number("n", 1_000_000), job.number("tokens", 1), job.number("size", 503));
    let (finished, mut all) = mpsc::unbounded_channel::<()>();
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..size).map(|_| mpsc::unbounded_channel::<usize>()).unzip();
    for (i, mut receiver) in receivers.into_iter().enumerate() {
        let (next, finished) = (senders[(i + 1) % size].clone(), finished.clone());
        tokio::spawn(async move {
            while let Some(hops) = receiver.recv().await {
                if hops == 0 {
                    finished.send(()).unwrap();
                } else {
                    next.send(hops - 1).unwrap();
                }
            }
        });
    }
    for (hops, last) in [(n / 10, false), (n, true)] {
        let watch = Stopwatch::start();
        for t in 0..tokens {
            senders[t * size / tokens].send(hops / tokens).unwrap();
        }
        for _ in 0..tokens {
            all.recv().await.unwrap();
        }
        if last {
            watch.print_time(if tokens == 1 { "ring_1" } else { "ring_100" }, n);
        }
    }
}

/// What a flood of messages goes through. bounded: a mailbox of 1000, whose senders wait. yield: an
/// unbounded one, whose senders let others run by hand.
#[derive(Clone)]
enum Mailbox {
    Bounded(mpsc::Sender<usize>),
    Unbounded(mpsc::UnboundedSender<usize>),
}

impl Mailbox {
    /// With a task that takes in what is sent; its result is the sum.
    fn with_sink(job: &Job) -> (Self, tokio::task::JoinHandle<usize>) {
        if job.text("mailbox", "bounded") == "bounded" {
            let (sender, mut receiver) = mpsc::channel(1000);
            let sink = tokio::spawn(async move {
                let mut sum = 0;
                while let Some(i) = receiver.recv().await {
                    sum += i;
                }
                sum
            });
            (Mailbox::Bounded(sender), sink)
        } else {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let sink = tokio::spawn(async move {
                let mut sum = 0;
                while let Some(i) = receiver.recv().await {
                    sum += i;
                }
                sum
            });
            (Mailbox::Unbounded(sender), sink)
        }
    }
}

/// `each` messages into each of `to`, in turn.
async fn flood(to: &[Mailbox], each: usize) {
    for i in 0..each {
        for mailbox in to {
            match mailbox {
                Mailbox::Bounded(sender) => sender.send(i).await.unwrap(),
                Mailbox::Unbounded(sender) => sender.send(i).unwrap(),
            }
        }
        if i % 100 == 99 && matches!(to[0], Mailbox::Unbounded(_)) {
            tokio::task::yield_now().await;
        }
    }
}

pub async fn many_to_one(job: Job) {
    let (senders, each) = (job.number("senders", 20), job.number("n", 200_000));
    let run = |each: usize| {
        let job = job.clone();
        async move {
            let (mailbox, sink) = Mailbox::with_sink(&job);
            for _ in 0..senders {
                let mailbox = mailbox.clone();
                tokio::spawn(async move { flood(&[mailbox], each).await });
            }
            drop(mailbox);
            SINK.store(sink.await.unwrap(), Ordering::Relaxed);
        }
    };
    warmed(each, run).await.print_throughput("many_to_one", senders * each);
}

pub async fn one_to_many(job: Job) {
    let (receivers, each) = (job.number("receivers", 60), job.number("n", 200_000));
    let run = |each: usize| {
        let job = job.clone();
        async move {
            let (mailboxes, sinks): (Vec<_>, Vec<_>) =
                (0..receivers).map(|_| Mailbox::with_sink(&job)).unzip();
            tokio::spawn(async move { flood(&mailboxes, each).await });
            for sink in sinks {
                SINK.store(sink.await.unwrap(), Ordering::Relaxed);
            }
        }
    };
    warmed(each, run).await.print_throughput("one_to_many", receivers * each);
}

enum Mail {
    Ping(usize),
    Pong,
}

pub async fn all_to_all(job: Job) {
    let (size, each) = (job.number("size", 120), job.number("n", 10_000));
    let run = |each: usize| async move {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..size).map(|_| mpsc::unbounded_channel::<Mail>()).unzip();
        let senders = Arc::new(senders);
        let (played, mut all) = mpsc::unbounded_channel::<()>();
        for (own, mut mailbox) in receivers.into_iter().enumerate() {
            let (senders, played) = (senders.clone(), played.clone());
            tokio::spawn(async move {
                let (mut left, mut next) = (each, own);
                loop {
                    next = (next + 1) % size;
                    if next == own {
                        next = (next + 1) % size;
                    }
                    let _ = senders[next].send(Mail::Ping(own));
                    loop {
                        match mailbox.recv().await {
                            Some(Mail::Ping(from)) => {
                                let _ = senders[from].send(Mail::Pong);
                            }
                            Some(Mail::Pong) => break,
                            None => return,
                        }
                    }
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
                played.send(()).unwrap();
                while let Some(mail) = mailbox.recv().await {
                    if let Mail::Ping(from) = mail {
                        let _ = senders[from].send(Mail::Pong);
                    }
                }
            });
        }
        for _ in 0..size {
            all.recv().await.unwrap();
        }
    };
    warmed(each, run).await.print_time("all_to_all", size * each);
}

fn branch(first: usize, leaves: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        let share = leaves / 10;
        let mut children = Vec::with_capacity(10);
        for i in 0..10 {
            let begin = first + i * share;
            children.push(if share == 1 {
                tokio::spawn(async move { begin })
            } else {
                tokio::spawn(branch(begin, share))
            });
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

pub async fn skynet(job: Job) {
    let n = job.number("n", 1_000_000);
    let run = |n: usize| async move {
        assert_eq!(tokio::spawn(branch(0, n)).await.unwrap(), n * (n - 1) / 2);
    };
    print_result("skynet", warmed(n, run).await.ns() / 1e6, "ms");
}

pub async fn call(job: Job) {
    let n = job.number("n", 1_000_000);
    let (requests, mut requested) = mpsc::unbounded_channel::<(u32, oneshot::Sender<u32>)>();
    tokio::spawn(async move {
        let mut value = 0u32;
        while let Some((by, answer)) = requested.recv().await {
            value = value.wrapping_add(by);
            let _ = answer.send(value);
        }
    });
    let run = |n: usize| {
        let requests = requests.clone();
        async move {
            for _ in 0..n {
                let (answer, answered) = oneshot::channel();
                requests.send((1, answer)).unwrap();
                SINK.store(answered.await.unwrap() as usize, Ordering::Relaxed);
            }
        }
    };
    warmed(n, run).await.print_time("call", n);
}

/// Polls a Sleep that is not due, and is done.
struct PolledOnce<'a>(&'a mut Pin<Box<tokio::time::Sleep>>);

impl Future for PolledOnce<'_> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        assert!(self.0.as_mut().poll(context).is_pending());
        Poll::Ready(())
    }
}

/// A Sleep is set when it is first polled, and cancelled when it is dropped. Unconstrained: else
/// every 128th poll would only yield.
pub async fn timer_set_cancel(job: Job) {
    let n = job.number("n", 1_000_000);
    let run = |n: usize| {
        tokio::task::unconstrained(async move {
            let mut timers = Vec::with_capacity(n);
            for i in 0..n {
                let delay = Duration::from_secs(60) + Duration::from_micros(i as u64 % 60_000_000);
                let mut timer = Box::pin(tokio::time::sleep(delay));
                PolledOnce(&mut timer).await;
                timers.push(timer);
            }
            drop(timers);
        })
    };
    warmed(n, run).await.print_time("timer_set_cancel", n);
}

pub async fn timer_lateness(job: Job) {
    let n = job.number("n", 100_000);
    let begin = Instant::now();
    let mut sleepers = Vec::with_capacity(n);
    for i in 0..n {
        let due = begin + Duration::from_millis(500) + Duration::from_secs(2).mul_f64(i as f64 / n as f64);
        sleepers.push(tokio::spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            due.elapsed().as_nanos() as f64 / 1e3
        }));
    }
    let mut late = Vec::with_capacity(n);
    for sleeper in sleepers {
        late.push(sleeper.await.unwrap());
    }
    late.sort_by(f64::total_cmp);
    print_result("timer_lateness_p50", late[n / 2], "us");
    print_result("timer_lateness_p99", late[n * 99 / 100], "us");
}

static SINK: AtomicUsize = AtomicUsize::new(0);

/// From a thread that is no worker: one that waits on a worker would not come back.
pub fn fairness(runtime: &tokio::runtime::Runtime, job: &Job) {
    let end = Instant::now() + Duration::from_secs(job.number("seconds", 3) as u64);
    let workers = if job.text("spin", "plain") == "none" { 0 } else { job.number("workers", 1) };
    let spinning = Arc::new(AtomicUsize::new(0));
    for _ in 0..workers {
        let spinning = spinning.clone();
        runtime.spawn(async move {
            spinning.fetch_add(1, Ordering::Relaxed);
            while Instant::now() < end + Duration::from_millis(100) {
                for k in 0..1000 {
                    SINK.store(k, Ordering::Relaxed);
                }
            }
        });
    }
    while spinning.load(Ordering::Relaxed) < workers {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (ping, mut pinged) = mpsc::unbounded_channel::<u32>();
    let (pong, mut ponged) = mpsc::unbounded_channel::<u32>();
    runtime.spawn(async move {
        while let Some(p) = pinged.recv().await {
            pong.send(p).unwrap();
        }
    });
    let asked = Instant::now();
    let player = runtime.spawn(async move {
        let mut trips = Vec::with_capacity(30_000_000);
        let mut served = asked;
        loop {
            ping.send(1).unwrap();
            ponged.recv().await.unwrap();
            let now = Instant::now();
            trips.push((now - served).as_nanos() as f64 / 1e3);
            if now > end {
                return trips;
            }
            served = now;
        }
    });
    let mut trips = runtime.block_on(player).unwrap();
    trips.sort_by(f64::total_cmp);
    print_result("fairness_p50", trips[trips.len() / 2], "us");
    print_result("fairness_p99", trips[(trips.len() - 1) * 99 / 100], "us");
    print_result("fairness_max", trips[trips.len() - 1], "us");
    std::process::exit(0);
}
