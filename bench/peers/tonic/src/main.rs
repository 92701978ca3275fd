//! tonic as a contender: server and client of bench.proto, which is told what
//! to do as peer.ts is. The messages are the wrappers of protobuf, which are
//! Rust's own types to prost.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, Semaphore};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{iter, Stream, StreamExt};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

mod bench {
    include!(concat!(env!("OUT_DIR"), "/grpclib.bench.Bench.rs"));
}

use bench::bench_client::BenchClient;
use bench::bench_server::{Bench, BenchServer};

const TEXT: &str = "abcdefghijklmnopqrstuvwxyz0123";
const CHAT_WINDOW: usize = 64;
const CHUNK_BYTES: usize = 64 << 10;
const MAX_BYTES: usize = 64 << 20;

type Failure = Box<dyn Error + Send + Sync>;
type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

fn payload(length: usize) -> Bytes {
    let mut seed: u64 = 1;
    (0..length)
        .map(|_| {
            seed = seed * 48271 % 2147483647;
            97 + (seed % 16) as u8
        })
        .collect()
}

// The server

struct Service {
    chunk: Bytes,
}

fn repeat<M: Clone + Send + 'static>(message: M, count: i32) -> Response<Messages<M>> {
    Response::new(Box::pin(iter((0..count).map(move |_| Ok(message.clone())))))
}

async fn count<M>(mut messages: Streaming<M>) -> Result<Response<i32>, Status> {
    let mut count = 0;
    while messages.message().await?.is_some() {
        count += 1;
    }
    Ok(Response::new(count))
}

#[tonic::async_trait]
impl Bench for Service {
    async fn unary(&self, request: Request<String>) -> Result<Response<String>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn unary_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    type DownloadStream = Messages<String>;

    async fn download(&self, request: Request<i32>) -> Result<Response<Messages<String>>, Status> {
        Ok(repeat(TEXT.to_string(), request.into_inner()))
    }

    async fn upload(&self, request: Request<Streaming<String>>) -> Result<Response<i32>, Status> {
        count(request.into_inner()).await
    }

    type ChatStream = Messages<String>;

    async fn chat(
        &self,
        request: Request<Streaming<String>>,
    ) -> Result<Response<Messages<String>>, Status> {
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    type DownloadBytesStream = Messages<Bytes>;

    async fn download_bytes(
        &self,
        request: Request<i32>,
    ) -> Result<Response<Messages<Bytes>>, Status> {
        Ok(repeat(self.chunk.clone(), request.into_inner()))
    }

    async fn upload_bytes(
        &self,
        request: Request<Streaming<Bytes>>,
    ) -> Result<Response<i32>, Status> {
        count(request.into_inner()).await
    }
}

async fn serve() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let service = Service { chunk: payload(CHUNK_BYTES) };
    let server = Server::builder().tcp_nodelay(true).add_service(BenchServer::new(service));
    // Each connection as the server would make it, without Nagle's delay.
    let connections = TcpListenerStream::new(listener).map(|connection| {
        connection.inspect(|it| {
            let _ = it.set_nodelay(true);
        })
    });
    tokio::spawn(async move { server.serve_with_incoming(connections).await });
    Ok(port)
}

// The client

type Client = BenchClient<Channel>;
type Work<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

async fn connect(port: &str) -> Result<Client, Failure> {
    let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}"))?;
    Ok(BenchClient::new(endpoint.connect().await?).max_decoding_message_size(MAX_BYTES))
}

fn expect(length: usize, expected: usize) -> Result<(), Failure> {
    if length == expected {
        return Ok(());
    }
    Err(format!("bad answer: {length} bytes").into())
}

/** One call of a kind; none if the kind is not known. */
fn call(client: &Client, port: &str, work: &str, bytes: &Bytes) -> Option<Work<()>> {
    let (mut client, port, bytes) = (client.clone(), port.to_string(), bytes.clone());
    Some(match work {
        "unary" => Box::pin(async move {
            let reply = client.unary(TEXT.to_string()).await?;
            expect(reply.get_ref().len(), TEXT.len())
        }),
        "rich" => Box::pin(async move {
            let mut request = Request::new(TEXT.to_string());
            for (key, value) in [("x-a", "1"), ("x-b", "two"), ("x-c", "three")] {
                request.metadata_mut().insert(key, value.parse()?);
            }
            request.set_timeout(Duration::from_secs(10));
            let reply = client.unary(request).await?;
            expect(reply.get_ref().len(), TEXT.len())
        }),
        "bytes4k" | "bytes1m" => Box::pin(async move {
            let length = bytes.len();
            let reply = client.unary_bytes(bytes).await?;
            expect(reply.get_ref().len(), length)
        }),
        "connect" => Box::pin(async move {
            let reply = connect(&port).await?.unary(TEXT.to_string()).await?;
            expect(reply.get_ref().len(), TEXT.len())
        }),
        _ => return None,
    })
}

async fn receive<M>(mut messages: Streaming<M>) -> Result<usize, Failure> {
    let mut got = 0;
    while messages.message().await?.is_some() {
        got += 1;
    }
    Ok(got)
}

/** One stream of so many messages; none if the kind is not known. */
fn stream(client: &Client, work: &str, count: usize) -> Option<Work<usize>> {
    let mut client = client.clone();
    let texts = iter((0..count).map(|_| TEXT.to_string()));
    Some(match work {
        "download" => Box::pin(async move {
            receive(client.download(count as i32).await?.into_inner()).await
        }),
        "downloadBytes" => Box::pin(async move {
            receive(client.download_bytes(count as i32).await?.into_inner()).await
        }),
        "upload" => {
            Box::pin(async move { Ok(client.upload(texts).await?.into_inner() as usize) })
        }
        "uploadBytes" => Box::pin(async move {
            let chunk = payload(CHUNK_BYTES);
            let chunks = iter((0..count).map(move |_| chunk.clone()));
            Ok(client.upload_bytes(chunks).await?.into_inner() as usize)
        }),
        "chat" => Box::pin(async move {
            let (sender, requests) = mpsc::channel(CHAT_WINDOW);
            let window = Arc::new(Semaphore::new(CHAT_WINDOW));
            let places = window.clone();
            tokio::spawn(async move {
                for _ in 0..count {
                    let Ok(place) = places.acquire().await else { return };
                    place.forget();
                    if sender.send(TEXT.to_string()).await.is_err() {
                        return;
                    }
                }
            });
            let mut replies = client.chat(ReceiverStream::new(requests)).await?.into_inner();
            let mut got = 0;
            while replies.message().await?.is_some() {
                got += 1;
                window.add_permits(1);
            }
            Ok(got)
        }),
        _ => return None,
    })
}

// The work

fn cpu_us() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure it is given.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let us = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    us(usage.ru_utime) + us(usage.ru_stime)
}

fn rss_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const UNSUPPORTED: &str = "not made for this scenario";

async fn run_calls(client: &Client, port: &str, todo: &Value) -> Result<Value, Failure> {
    let work = todo["work"].as_str().unwrap_or_default().to_string();
    let concurrency = todo["concurrency"].as_u64().unwrap_or(1);
    let bytes = payload(if work == "bytes1m" { 1 << 20 } else { 4 << 10 });
    if call(client, port, &work, &bytes).is_none() {
        return Ok(json!({ "unsupported": UNSUPPORTED }));
    }
    let (cpu, start) = (cpu_us(), Instant::now());
    let end = start + Duration::from_secs_f64(todo["ms"].as_f64().unwrap_or(0.) / 1e3);
    let workers: Vec<_> = (0..concurrency)
        .map(|_| {
            let (client, port, work) = (client.clone(), port.to_string(), work.clone());
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let mut before = Instant::now();
                while before < end {
                    call(&client, &port, &work, &bytes).ok_or(UNSUPPORTED)?.await?;
                    let now = Instant::now();
                    latencies.push(ms(now - before));
                    before = now;
                }
                Ok::<_, Failure>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let (elapsed, used) = (ms(start.elapsed()), cpu_us() - cpu);
    latencies.sort_by(f64::total_cmp);
    let at = |p: f64| latencies[(latencies.len() as f64 * p) as usize];
    Ok(json!({
        "operations": latencies.len(), "ms": elapsed, "cpuUs": used,
        "p50": at(0.5), "p99": at(0.99),
    }))
}

async fn run_streams(client: &Client, todo: &Value) -> Result<Value, Failure> {
    let work = todo["work"].as_str().unwrap_or_default();
    let concurrency = todo["concurrency"].as_u64().unwrap_or(1) as usize;
    let each = (todo["count"].as_u64().unwrap_or(0) as usize).div_ceil(concurrency);
    let (cpu, start) = (cpu_us(), Instant::now());
    let mut streams = Vec::new();
    for _ in 0..concurrency {
        match stream(client, work, each) {
            Some(stream) => streams.push(tokio::spawn(stream)),
            None => return Ok(json!({ "unsupported": UNSUPPORTED })),
        }
    }
    for stream in streams {
        expect(stream.await??, each)?;
    }
    let elapsed = ms(start.elapsed());
    Ok(json!({ "operations": each * concurrency, "ms": elapsed, "cpuUs": cpu_us() - cpu }))
}

async fn run(client: Option<&Client>, port: &str, line: &str) -> Result<Value, Failure> {
    let todo: Value = serde_json::from_str(line)?;
    match (todo["do"].as_str(), client) {
        (Some("usage"), _) => {
            Ok(json!({ "cpuUs": cpu_us(), "rssBytes": rss_bytes(), "heapBytes": 0 }))
        }
        (Some("call"), Some(client)) => run_calls(client, port, &todo).await,
        (Some("stream"), Some(client)) => run_streams(client, &todo).await,
        _ => Ok(json!({ "unsupported": UNSUPPORTED })),
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    let (client, port) = if args[1] == "server" {
        println!("{}", json!({ "port": serve().await? }));
        (None, String::new())
    } else {
        let client = connect(&args[2]).await?;
        println!("{}", json!({ "port": 0 }));
        (Some(client), args[2].clone())
    };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = run(client.as_ref(), &port, &line).await;
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    // A thread that waits for input would keep the process.
    std::process::exit(0)
}
