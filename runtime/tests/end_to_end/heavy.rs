//! Methods that burn: they run beside each other and beside their connection,
//! and end as all calls do when they have not begun. The client has a thread of
//! its own throughout, as the server's are meant to be blocked.

use std::future::IntoFuture;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{Channel, Code, Context, Sender, Server, ShutdownReport, Status};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Holds up the threads of handlers until a test lets them go.
#[derive(Default)]
struct Gate {
    state: Mutex<Entered>,
    opened: Condvar,
}

#[derive(Default)]
struct Entered {
    numbers: Vec<i64>,
    /// How many had entered when each call of the cheap method did.
    cheap: Vec<usize>,
    released: usize,
}

impl Gate {
    fn pass(&self, number: i64) {
        let mut state = self.state.lock().unwrap();
        state.numbers.push(number);
        let waiting = self.opened.wait_timeout_while(state, BOUND, |state| {
            if state.released == 0 {
                return true;
            }
            state.released -= 1;
            false
        });
        drop(waiting);
    }

    fn release(&self, handlers: usize) {
        self.state.lock().unwrap().released += handlers;
        self.opened.notify_all();
    }

    fn entered(&self) -> Vec<i64> {
        self.state.lock().unwrap().numbers.clone()
    }

    fn note_cheap(&self) {
        let mut state = self.state.lock().unwrap();
        let entered = state.numbers.len();
        state.cheap.push(entered);
    }

    fn cheap(&self) -> Option<usize> {
        self.state.lock().unwrap().cheap.first().copied()
    }

    async fn wait_for(&self, handlers: usize) {
        let enough = async {
            while self.entered().len() < handlers {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = timeout(BOUND, enough).await;
        assert!(waited.is_ok(), "only {:?} entered", self.entered());
    }
}

/// `unary` is the method that burns; `expand` is a cheap one.
struct Burner {
    gate: Arc<Gate>,
    /// Blocked handlers leave their workers to others.
    in_place: bool,
}

impl EchoServicer for Burner {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        match request.text.as_str() {
            "learn" => std::thread::sleep(Duration::from_millis(20)),
            "panic" => panic!("this panic is part of a test"),
            "later" => tokio::task::yield_now().await,
            _ if self.in_place => tokio::task::block_in_place(|| self.gate.pass(request.number)),
            _ => self.gate.pass(request.number),
        }
        Ok(request)
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        self.gate.note_cheap();
        replies.send(request).await
    }
}

/// A server on a thread of its own, whose `unary` is known to burn.
struct Setting {
    gate: Arc<Gate>,
    stub: EchoStub,
    shutdown: oneshot::Sender<Duration>,
    serving: std::thread::JoinHandle<ShutdownReport>,
}

impl Setting {
    async fn new(mut runtime: Builder, in_place: bool) -> Self {
        let gate = Arc::new(Gate::default());
        let burner = Burner {
            gate: Arc::clone(&gate),
            in_place,
        };
        let (started, address) = oneshot::channel();
        let (shutdown, stopped) = oneshot::channel();
        let serving = std::thread::spawn(move || {
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::builder()
                    .add_service(service(burner))
                    .listen("127.0.0.1:0")
                    .start()
                    .await
                    .unwrap();
                started.send(server.addresses()[0].clone()).unwrap();
                let grace = stopped.await.unwrap_or_default();
                server.shutdown(grace).await
            })
        });
        let stub = EchoStub(Channel::insecure(address.await.unwrap()).unwrap());
        stub.unary(Echo::text("learn")).await.unwrap();
        Self {
            gate,
            stub,
            shutdown,
            serving,
        }
    }

    /// Two workers, which blocked handlers leave to others.
    async fn with_free_workers() -> Self {
        Self::new(two_workers(), true).await
    }

    fn burn(&self, number: i64) -> JoinHandle<Result<Echo, Status>> {
        tokio::spawn(self.stub.unary(Echo::number(number)).into_future())
    }

    /// So many calls of the method that burns, numbered from 1 on. The first
    /// ones fill the workers, so that the others wait.
    async fn burners(&self, workers: usize, calls: i64) -> Vec<JoinHandle<Result<Echo, Status>>> {
        let mut burners = Vec::new();
        for number in 1..=calls {
            burners.push(self.burn(number));
            if burners.len() <= workers {
                self.gate.wait_for(burners.len()).await;
            }
        }
        burners
    }

    /// Lets one burner go, and waits until the next is the last of `entered`. One that has
    /// yielded on a worker that a burner blocks waits for that burner: then it comes with
    /// the next that is let go.
    async fn let_one_go(&self, entered: usize) {
        self.gate.release(1);
        let next = async {
            while self.gate.entered().len() < entered {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(Duration::from_secs(1), next).await;
    }

    /// Lets all burners go and the server end.
    async fn end(self) -> ShutdownReport {
        self.gate.release(usize::MAX / 2);
        self.shutdown.send(BOUND).unwrap();
        joined(self.serving).await
    }
}

async fn cheap(stub: &EchoStub) {
    let mut replies = stub.expand(Echo::number(1)).start();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 1);
    assert_eq!(replies.next().await.unwrap(), None);
}

/// The client's connection goes on meanwhile.
async fn joined(serving: std::thread::JoinHandle<ShutdownReport>) -> ShutdownReport {
    let joined = tokio::task::spawn_blocking(|| serving.join().unwrap());
    timeout(BOUND, joined).await.unwrap().unwrap()
}

fn two_workers() -> Builder {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2);
    runtime
}

async fn answer(call: JoinHandle<Result<Echo, Status>>) -> Result<Echo, Status> {
    timeout(BOUND, call).await.unwrap().unwrap()
}

#[tokio::test]
async fn one_connection_uses_every_worker() {
    let setting = Setting::new(two_workers(), false).await;
    let burners = [setting.burn(1), setting.burn(2)];
    // Neither leaves before both have entered.
    setting.gate.wait_for(2).await;
    setting.gate.release(2);
    for burner in burners {
        answer(burner).await.unwrap();
    }
    setting.end().await;
}

/// Every worker is blocked by a burner; each time one is let go, the next takes
/// its place. Few of them are let go before the handler of the cheap call has its
/// turn, by the server's own order, and as few before the answer is written.
async fn a_cheap_call_passes_burners(runtime: Builder, workers: usize) {
    let setting = Setting::new(runtime, false).await;
    let burners = setting.burners(workers, 40).await;
    // With the first ones out of the way, the server has all the others.
    let mut released = 0;
    while released < 3 {
        released += 1;
        setting.let_one_go(workers + released).await;
    }
    let stub = setting.stub.clone();
    let cheap = tokio::spawn(async move { cheap(&stub).await });
    while setting.gate.cheap().is_none() {
        released += 1;
        assert!(released < 20, "the cheap call waits for the burners");
        setting.let_one_go(workers + released).await;
        // However busy the machine is, the call gets to the server meanwhile.
        sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..3 {
        released += 1;
        setting.let_one_go(workers + released).await;
    }
    // No other is let go: the answer is on its way.
    timeout(BOUND, cheap).await.unwrap().unwrap();
    setting.gate.release(burners.len());
    for burner in burners {
        answer(burner).await.unwrap();
    }
    let report = setting.end().await;
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}

#[tokio::test]
async fn a_cheap_call_does_not_wait_for_the_queue_of_burners() {
    a_cheap_call_passes_burners(two_workers(), 2).await;
}

#[tokio::test]
async fn nor_does_it_on_a_current_thread_runtime() {
    a_cheap_call_passes_burners(Builder::new_current_thread(), 1).await;
}

#[tokio::test]
async fn a_panic_apart_ends_its_call_alone() {
    let setting = Setting::new(Builder::new_current_thread(), false).await;
    for _ in 0..3 {
        let status = setting.stub.unary(Echo::text("panic")).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
    }
    setting.stub.unary(Echo::text("learn")).await.unwrap();
    setting.end().await;
}

#[tokio::test]
async fn a_handler_that_begins_apart_may_wait_there() {
    let setting = Setting::new(Builder::new_current_thread(), false).await;
    let later = || tokio::spawn(setting.stub.unary(Echo::text("later")).into_future());
    for call in (0..100).map(|_| later()).collect::<Vec<_>>() {
        assert_eq!(answer(call).await.unwrap().text, "later");
    }
    setting.end().await;
}

#[tokio::test]
async fn a_call_cancelled_before_its_turn_never_begins() {
    let setting = Setting::with_free_workers().await;
    let burners = setting.burners(2, 2).await;
    let cancelled = setting.burn(3);
    // An answer to a later call shows that the server has the earlier ones.
    cheap(&setting.stub).await;
    cancelled.abort();
    assert!(cancelled.await.unwrap_err().is_cancelled());
    cheap(&setting.stub).await;
    let last = setting.burn(4);
    setting.gate.release(3);
    for burner in burners.into_iter().chain([last]) {
        answer(burner).await.unwrap();
    }
    assert_eq!(setting.gate.entered(), [1, 2, 4]);
    setting.end().await;
}

#[tokio::test]
async fn a_call_whose_deadline_passes_before_its_turn_never_begins() {
    let setting = Setting::with_free_workers().await;
    let burners = setting.burners(2, 2).await;
    let late = setting
        .stub
        .unary(Echo::number(3))
        .timeout(Duration::from_millis(50));
    assert_eq!(late.await.unwrap_err().code(), Code::DeadlineExceeded);
    cheap(&setting.stub).await;
    let last = setting.burn(4);
    setting.gate.release(3);
    for burner in burners.into_iter().chain([last]) {
        answer(burner).await.unwrap();
    }
    assert_eq!(setting.gate.entered(), [1, 2, 4]);
    setting.end().await;
}

#[tokio::test]
async fn a_server_that_drains_gives_waiting_calls_their_turns() {
    let setting = Setting::with_free_workers().await;
    let burners = setting.burners(2, 10).await;
    cheap(&setting.stub).await;
    let report = setting.end().await;
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    for burner in burners {
        answer(burner).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_cut_off_cuts_waiting_calls_too() {
    let setting = Setting::with_free_workers().await;
    let burners = setting.burners(2, 10).await;
    cheap(&setting.stub).await;
    let Setting {
        gate,
        shutdown,
        serving,
        ..
    } = setting;
    shutdown.send(Duration::ZERO).unwrap();
    for burner in burners {
        assert_eq!(answer(burner).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(gate.entered(), [1, 2]);
    gate.release(2);
    assert_eq!(joined(serving).await.calls_cut, 10);
}
