//! Counts memory allocations a unary call and a streamed message, on each side.
//! Allocations are the same on every machine, so unlike times they can be held
//! to a number.

use bench::Error;
use bench::driver::Driver;
use bench::load::{Load, Task};
use bench::peer::{Peer, ours::Ours, tonic::Tonic};
use bench::setup::Setup;

#[derive(Debug)]
struct Allocations {
    server: f64,
    client: f64,
}

/// The allocations of the two threads between which a load was done.
fn run<P: Peer>(load: Load) -> (u64, u64) {
    let (address_sender, address) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        let runtime = Setup::Pinned.runtime().unwrap();
        let ready = |address: &str| address_sender.send(address.to_owned()).unwrap();
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                tokio::select! {
                    served = P::serve(load.security, ready) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        counted.count_total
    });
    let runtime = Setup::Pinned.runtime().unwrap();
    let address = runtime.block_on(address).unwrap();
    let counted = allocation_counter::measure(|| {
        let done: Result<(), Error> = runtime.block_on(async {
            let mut driver = Driver::<P::Client>::ready(load, &address).await?;
            driver.run().await?;
            Ok(())
        });
        done.unwrap();
    });
    stop.send(()).unwrap();
    (serving.join().unwrap(), counted.count_total)
}

/// What one more costs: what is made once cancels out.
fn each<P: Peer>(few: Load) -> Allocations {
    let many = Load {
        count: few.count * 5,
        ..few
    };
    let (less, more) = (run::<P>(few), run::<P>(many));
    // A tenth of the load warms up.
    let count = (many.count - few.count) as f64 * 1.1;
    Allocations {
        server: (more.0 as f64 - less.0 as f64) / count,
        client: (more.1 as f64 - less.1 as f64) / count,
    }
}

/// Prints what each side of ours and of tonic allocates; gives ours.
fn compare(title: &str, load: Load) -> Allocations {
    let (ours, tonic) = (each::<Ours>(load), each::<Tonic>(load));
    let unit = load.task.unit();
    println!("{title}: allocations a {unit}, the {unit}'s own texts included");
    println!(
        "  server: ours {:.2}, tonic {:.2}",
        ours.server, tonic.server
    );
    println!(
        "  client: ours {:.2}, tonic {:.2}",
        ours.client, tonic.client
    );
    ours
}

#[test]
fn a_unary_call_allocates_no_more_than_this() {
    // One each is the request's and the reply's own, on either side.
    const SERVER_LIMIT: f64 = 4.5;
    const CLIENT_LIMIT: f64 = 5.5;
    let ours = compare("unary", Load::new(Task::Hello, 1, 100, 4_000));
    let within = ours.server <= SERVER_LIMIT && ours.client <= CLIENT_LIMIT;
    assert!(within, "{ours:?}");
}

#[test]
fn a_streamed_message_allocates_little_more_than_its_text() {
    // A side that answers has a text for the request and one for the reply.
    let limits = [
        (Task::Pull, 1.2, 1.2),
        (Task::Push, 1.2, 1.2),
        (Task::Chat, 2.2, 2.2),
    ];
    for (task, server, client) in limits {
        let ours = compare(&task.to_string(), Load::new(task, 1, 4, 20_000));
        assert!(
            ours.server <= server && ours.client <= client,
            "{task}: {ours:?}"
        );
    }
}
