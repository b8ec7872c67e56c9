//! Tokio's program of the benchmarks: tasks and channels on the multi-threaded runtime.
//!
//!     bench ROW workers=1 n=1000000 ...

mod echo;
mod rows;

use std::future::Future;
use std::time::Instant;

#[derive(Clone)]
pub struct Job {
    words: Vec<String>,
}

impl Job {
    pub fn text<'a>(&'a self, name: &str, otherwise: &'a str) -> &'a str {
        self.words
            .iter()
            .filter_map(|w| w.split_once('='))
            .find(|(key, _)| *key == name)
            .map_or(otherwise, |(_, value)| value)
    }
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        self.text(name, "").parse().unwrap_or(otherwise)
    }
}

pub fn status_bytes(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Processor time of all threads, in nanoseconds; a tick is 10 ms.
fn cpu_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    1e7 * (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap())
}

pub struct Stopwatch {
    begin: Instant,
    cpu: f64,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch { cpu: cpu_ns(), begin: Instant::now() }
    }
    pub fn ns(&self) -> f64 {
        self.begin.elapsed().as_nanos() as f64
    }
    pub fn print_time(&self, bench: &str, n: usize) {
        let (wall, cpu) = (self.ns(), cpu_ns() - self.cpu);
        println!(
            "{{\"bench\":\"{bench}\",\"value\":{:.3},\"unit\":\"ns\",\"cpu\":{:.3}}}",
            wall / n as f64,
            cpu / n as f64
        );
    }
    pub fn print_throughput(&self, bench: &str, n: usize) {
        let (wall, cpu) = (self.ns(), cpu_ns() - self.cpu);
        println!(
            "{{\"bench\":\"{bench}\",\"value\":{:.5},\"unit\":\"M/s\",\"cpu\":{:.3},\"peak_mb\":{:.1}}}",
            n as f64 / wall * 1e3,
            cpu / n as f64,
            status_bytes("VmHWM") / 1e6
        );
    }
}

pub fn print_result(bench: &str, value: f64, unit: &str) {
    println!("{{\"bench\":\"{bench}\",\"value\":{value:.3},\"unit\":\"{unit}\"}}");
}

/// A tenth first, then the whole, timed.
pub async fn warmed<R, F>(n: usize, mut run: R) -> Stopwatch
where
    R: FnMut(usize) -> F,
    F: Future<Output = ()>,
{
    run(n / 10).await;
    let watch = Stopwatch::start();
    run(n).await;
    watch
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        eprintln!("usage: bench ROW [name=value]...");
        std::process::exit(2);
    }
    let row = words.remove(0);
    let job = Job { words };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(job.number("workers", 1))
        .enable_all()
        .build()
        .unwrap();
    if row == "echo" {
        return echo::serve(&runtime, &job);
    }
    if row == "fairness" {
        return rows::fairness(&runtime, &job);
    }
    // On a worker: a block_on() of the row itself would be one thread more.
    let done = runtime.spawn(async move {
        match row.as_str() {
            "spawn_exit" => rows::spawn_exit(job).await,
            "spawn_idle" => rows::spawn_idle(job).await,
            "ping_pong" => rows::ping_pong(job).await,
            "ring" => rows::ring(job).await,
            "many_to_one" => rows::many_to_one(job).await,
            "one_to_many" => rows::one_to_many(job).await,
            "all_to_all" => rows::all_to_all(job).await,
            "skynet" => rows::skynet(job).await,
            "call" => rows::call(job).await,
            "timer_set_cancel" => rows::timer_set_cancel(job).await,
            "timer_lateness" => rows::timer_lateness(job).await,
            "idle" => return Some(rows::waiting(job.number("n", 100_000)).await),
            _ => {
                eprintln!("no row '{row}'");
                std::process::exit(2);
            }
        }
        None
    });
    if let Some(senders) = runtime.block_on(done).unwrap() {
        println!("{{\"ready\":true}}");
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
        drop(senders);
    }
    std::process::exit(0);
}
