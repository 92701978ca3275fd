//! The client of `deno task fleet`, with tonic:
//!
//!     fleet-client 127.0.0.1:10000 20
//!
//! So many workers call, one call after another, until the input ends. Then it
//! prints how often what came of it: the number, a tab and the outcome.
//!
//! In one thread: with more, hyper asks whether a connection takes a request,
//! sends it and asks again while another thread may see GOAWAY in between. It
//! fails the call then with "transport error", sent or not, whatever the server
//! does with it (proto/h2/client.rs of hyper 1.12, both uses of poll_ready).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

async fn call(client: &mut Grpc<Channel>) -> Result<(), Status> {
    client
        .ready()
        .await
        .map_err(|error| Status::unknown(format!("not ready: {error}")))?;
    let path = PathAndQuery::from_static("/grpc.testing.TestService/UnaryCall");
    let codec: ProstCodec<(), ()> = ProstCodec::default();
    client.unary(Request::new(()), path, codec).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let workers: usize = args[2].parse().expect("a number of workers");
    let endpoint = Endpoint::from_shared(format!("http://{}", args[1]))
        .expect("an address");
    let channel = endpoint.connect_lazy();
    let done = Arc::new(AtomicBool::new(false));
    let outcomes = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let mut running = Vec::new();
    for _ in 0..workers {
        let mut client = Grpc::new(channel.clone());
        let (done, outcomes) = (done.clone(), outcomes.clone());
        running.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let outcome = match call(&mut client).await {
                    Ok(()) => "OK".to_string(),
                    Err(status) => {
                        format!("{:?}: {}", status.code(), status.message())
                    }
                };
                let mut outcomes = outcomes.lock().unwrap();
                *outcomes.entry(outcome).or_default() += 1;
            }
        }));
    }
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    done.store(true, Ordering::Relaxed);
    for worker in running {
        let _ = worker.await;
    }
    for (outcome, count) in outcomes.lock().unwrap().iter() {
        println!("{count}\t{}", outcome.replace(['\n', '\t'], " "));
    }
}
