//! Servers that report their load by themselves (gRFC A51), and what becomes of it.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::prost::Message;
use grpc_runtime::{
    Balance, Channel, ChannelCredentials, Control, LoadReport, Method, OutlierDetection, Policy,
    Resolved, RoundRobin, ServiceConfig, Status, Subchannel, SubchannelState, UnaryCall,
    WeightedRoundRobin,
};
use grpc_testing::{RecordedCall, Reply, Script, no_leftovers};
use tokio::time::sleep;

use self::support::Fleet;

const GET: Method = Method::unary("/shop.Orders/Get");
const STREAM: &str = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";

const SECOND: Duration = Duration::from_secs(1);

fn report(utilization: f64) -> Vec<u8> {
    let mut report = LoadReport::new();
    report
        .set_qps(100.0)
        .set_application_utilization(utilization);
    report.encode_to_vec()
}

fn server(reports: Reply) -> Script {
    Script::new()
        .on(GET.path(), Reply::message(&"a book".to_owned()))
        .on(STREAM, reports)
}

async fn connect(servers: &[(&str, &Script)], balance: impl Balance) -> (Fleet, Channel) {
    let config = ServiceConfig::builder().balance(balance).build().unwrap();
    let servers = servers
        .iter()
        .map(|(name, script)| (*name, script.server()));
    let (fleet, builder) = Fleet::of(servers, config).await;
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (fleet, channel)
}

async fn get(channel: &Channel) {
    let call = UnaryCall::<String>::new(channel, GET, &"1".to_owned());
    assert_eq!(call.timeout(5 * SECOND).await.unwrap(), "a book");
}

fn count(script: &Script) -> usize {
    script.calls_to(GET.path()).len()
}

/// The interval that the server was asked for; its message is a `Duration` within.
fn asked(script: &Script) -> Vec<Vec<u8>> {
    let calls = script.calls_to(STREAM);
    let requests = calls.iter().flat_map(RecordedCall::request_bytes);
    requests.map(|bytes| bytes.to_vec()).collect()
}

#[tokio::test(start_paused = true)]
async fn weights_come_from_reports_that_no_call_brings() {
    let (idle, busy) = (
        server(Reply::bytes(report(0.25)).then_hang()),
        server(Reply::bytes(report(0.75)).then_hang()),
    );
    let balance = WeightedRoundRobin::new()
        .blackout_period(Duration::ZERO)
        .oob_reporting_period(Duration::from_millis(2_500));
    // It is within others that reports find their way as well.
    let balance = OutlierDetection::new(balance);
    let (fleet, channel) = connect(&[("a", &idle), ("b", &busy)], balance).await;
    channel.connect().unwrap();
    get(&channel).await;
    sleep(3 * SECOND).await;
    let before = (count(&idle), count(&busy));
    for _ in 0..400 {
        get(&channel).await;
    }
    let after = (count(&idle) - before.0, count(&busy) - before.1);
    assert!((299..=301).contains(&after.0), "{after:?}");
    // 2 s and 500,000,000 ns.
    let interval = [10, 8, 8, 2, 16, 128, 202, 181, 238, 1];
    assert_eq!(asked(&idle), [interval]);
    drop(channel);
    no_leftovers(&fleet.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn reports_of_calls_do_not_count_beside_them_and_the_other_way_round() {
    let said = |utilization| {
        let mut metadata = grpc_runtime::Metadata::new();
        LoadReport::decode(&*report(utilization))
            .unwrap()
            .write(&mut metadata);
        Reply::message(&"a book".to_owned()).trailing_metadata(metadata)
    };
    let script = |call, stream| {
        Script::new()
            .on(GET.path(), said(call))
            .on(STREAM, Reply::bytes(report(stream)).then_hang())
    };
    // By its calls the first has three times as much room; by its own word the second.
    let (first, second) = (script(0.25, 0.75), script(0.75, 0.25));
    let by_calls = WeightedRoundRobin::new().blackout_period(Duration::ZERO);
    let by_word = by_calls.clone().oob_reporting_period(SECOND);
    let (fleet, channel) = connect(&[("a", &first), ("b", &second)], by_calls.clone()).await;
    let mut shares = Vec::new();
    for balance in [None, Some(by_word), Some(by_calls)] {
        if let Some(balance) = balance {
            let config = ServiceConfig::builder().balance(balance).build().unwrap();
            fleet.configs.send_replace(config);
        }
        for _ in 0..10 {
            get(&channel).await;
            sleep(SECOND / 2).await;
        }
        let before = count(&first);
        for _ in 0..100 {
            get(&channel).await;
        }
        shares.push(count(&first) - before);
    }
    let near = |share: usize, expected: usize| share.abs_diff(expected) <= 1;
    let all = shares.iter().zip([75, 25, 75]);
    assert!(
        all.clone().all(|(share, is)| near(*share, is)),
        "{shares:?}"
    );
    assert_eq!(first.calls_to(STREAM).len(), 1);
    let last = first.calls_to(STREAM)[0].code();
    assert_eq!(
        last,
        Some(grpc_runtime::Code::Cancelled),
        "it is asked no more"
    );
}

/// What a policy of a user's hears, in words.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

struct Listens {
    heard: Heard,
    subchannels: Vec<Subchannel>,
}

impl Balance for Heard {
    fn name(&self) -> &'static str {
        "listens"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Listens {
            heard: self.clone(),
            subchannels: Vec::new(),
        })
    }
}

impl Policy for Listens {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        for endpoint in resolved.endpoints {
            let subchannel = control.subchannel(endpoint);
            control.report_load(&subchannel, Some(10 * SECOND));
            subchannel.connect();
            self.subchannels.push(subchannel);
        }
        Ok(())
    }

    fn resolution_failed(&mut self, _status: Status, _control: &mut Control<'_>) {}

    fn changed(&mut self, subchannel: &Subchannel, state: SubchannelState, _: &mut Control<'_>) {
        if matches!(state, SubchannelState::Idle) {
            subchannel.connect();
        }
    }

    fn connect(&mut self, _control: &mut Control<'_>) {}

    fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        _control: &mut Control<'_>,
    ) {
        let name = subchannel.endpoint().addresses()[0].to_string();
        let text = format!("{name} {}", report.application_utilization());
        self.heard.0.lock().unwrap().push(text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_hears_each_report_and_a_stream_that_ends_is_begun_again() {
    let twice = Reply::bytes(report(0.5))
        .then_delay(10 * SECOND)
        .then_bytes(report(0.6))
        .then_status(Status::unavailable("restarting"));
    let (good, none) = (
        server(twice).on(STREAM, Reply::bytes(report(0.7)).then_hang()),
        server(Reply::status(Status::unimplemented("no reports"))),
    );
    let heard = Heard::default();
    let (fleet, channel) = connect(&[("a", &good), ("b", &none)], heard.clone()).await;
    channel.connect().unwrap();
    sleep(100 * SECOND).await;
    assert_eq!(*heard.0.lock().unwrap(), ["a 0.5", "a 0.6", "a 0.7"]);
    assert_eq!(none.calls_to(STREAM).len(), 1, "it has no such service");
    // On a new connection it is asked again.
    fleet.network.link("client", "b").cut();
    sleep(100 * SECOND).await;
    assert_eq!(none.calls_to(STREAM).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_none_ends_that_stream_alone() {
    let script = server(Reply::bytes(vec![0xff; 20]).then_hang())
        .on(STREAM, Reply::bytes(report(0.7)).then_hang());
    let heard = Heard::default();
    let (fleet, channel) = connect(&[("a", &script)], heard.clone()).await;
    channel.connect().unwrap();
    sleep(10 * SECOND).await;
    assert_eq!(*heard.0.lock().unwrap(), ["a 0.7"]);
    let config = ServiceConfig::builder().balance(RoundRobin::new());
    fleet.configs.send_replace(config.build().unwrap());
    get(&channel).await;
}
