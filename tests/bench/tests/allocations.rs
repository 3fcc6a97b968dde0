//! Counts memory allocations a unary call, on each side. Allocations are the
//! same on every machine, so unlike times they can be held to a number.

use bench::Error;
use bench::implementation::{Client, Flavor, Implementation, serve};
use bench::load;

const FEW: usize = 2_000;
const MANY: usize = 12_000;

#[derive(Debug)]
struct Allocations {
    server: f64,
    client: f64,
}

/// The allocations of the two threads between which `calls` calls were made.
fn run(server: Implementation, client: Implementation, calls: usize) -> (u64, u64) {
    let (address_sender, address) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        let runtime = Flavor::CurrentThread.runtime().unwrap();
        let ready = |address: &str| address_sender.send(address.to_owned()).unwrap();
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(server, ready) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        counted.count_total
    });
    let runtime = Flavor::CurrentThread.runtime().unwrap();
    let address = runtime.block_on(address).unwrap();
    let counted = allocation_counter::measure(|| {
        let calls: Result<(), Error> = runtime
            .block_on(async { load::make_calls(&Client::new(client, &address)?, calls).await });
        calls.unwrap();
    });
    stop.send(()).unwrap();
    (serving.join().unwrap(), counted.count_total)
}

/// What one more call costs: connections and tasks that are made once cancel
/// out.
fn per_call(server: Implementation, client: Implementation) -> Allocations {
    let (few, many) = (run(server, client, FEW), run(server, client, MANY));
    let rate = |few: u64, many: u64| (many - few) as f64 / (MANY - FEW) as f64;
    Allocations {
        server: rate(few.0, many.0),
        client: rate(few.1, many.1),
    }
}

/// What a call of ours may allocate. One each is the greeting's and the reply's
/// own, on either side.
const SERVER_LIMIT: f64 = 4.5;
const CLIENT_LIMIT: f64 = 7.5;

#[test]
fn a_unary_call_allocates_no_more_than_this() {
    let tonic = per_call(Implementation::Tonic, Implementation::Tonic);
    let ours = per_call(Implementation::Ours, Implementation::Ours);
    println!("allocations a unary call, greeting and reply included");
    println!(
        "  server: ours {:.2}, tonic {:.2}",
        ours.server, tonic.server
    );
    println!(
        "  client: ours {:.2}, tonic {:.2}",
        ours.client, tonic.client
    );
    let within = ours.server <= SERVER_LIMIT && ours.client <= CLIENT_LIMIT;
    assert!(within, "{ours:?}");
}
