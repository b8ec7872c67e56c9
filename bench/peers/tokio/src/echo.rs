//! Tokio's echo server: a task for each connection, which ends after a minute of silence. The buffer is on the stack of
//! the worker, so a task that waits holds none.

use crate::Job;
use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// What a server does with a piece of input that takes its time.
fn compute_for(work: Duration) {
    let begin = Instant::now();
    while !work.is_zero() && begin.elapsed() < work {}
}

/// What has come, sent back as far as the socket takes it: the rest, or nothing if all of it is away.
fn echo_now(socket: &TcpStream, work: Duration) -> Result<Vec<u8>, Error> {
    let mut buffer = [0u8; 16384];
    let n = socket.try_read(&mut buffer)?;
    if n == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    compute_for(work);
    let sent = match socket.try_write(&buffer[..n]) {
        Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
        other => other?,
    };
    Ok(buffer[sent..n].to_vec()) // an empty one allocates nothing
}

async fn connection(mut socket: TcpStream, work: Duration) -> Result<(), Error> {
    loop {
        timeout(IDLE_LIMIT, socket.readable()).await??;
        match echo_now(&socket, work) {
            Ok(rest) if rest.is_empty() => (),
            Ok(rest) => socket.write_all(&rest).await?,
            Err(e) if e.kind() == ErrorKind::WouldBlock => (),
            Err(e) => return Err(e),
        }
    }
}

/// Serves until the standard input ends.
pub fn serve(runtime: &tokio::runtime::Runtime, job: &Job) {
    let work = Duration::from_micros(job.number("work", 0) as u64);
    let address = format!("127.0.0.1:{}", job.number("port", 0));
    let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
    runtime.spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(connection(socket, work));
        }
    });
    println!("{{\"ready\":true}}");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    std::process::exit(0);
}
