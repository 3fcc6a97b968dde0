//! Tests of `txt.rs` against their own name server on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Instant;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{Record, RecordType};

use super::*;
use crate::method::Method;

const BOUND: Duration = Duration::from_secs(20);
/// The largest answer over UDP.
const UDP: usize = 512;

/// A name server's answer for a name.
#[derive(Clone)]
enum Says {
    /// Records, each of strings.
    Records(Vec<Vec<Vec<u8>>>),
    Code(ResponseCode),
    Nothing,
}

/// A name server, by names without the last dot; all other names do not exist.
struct NameServer {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    fn start(zone: &[(&str, Says)]) -> Self {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let place = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(place).unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let zone = zone
            .iter()
            .map(|(name, says)| ((*name).to_owned(), says.clone()));
        let zone: Arc<[(String, Says)]> = zone.collect();
        let (names, log) = (Arc::clone(&zone), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut packet = [0; UDP];
            while let Ok((length, peer)) = udp.recv_from(&mut packet) {
                if let Some(mut answer) = answer(&packet[..length], &names, &log) {
                    if answer.len() > UDP {
                        // It says so (RFC 1035 section 4.1.1), and has the question alone.
                        let mut cut = Message::from_vec(&answer).unwrap();
                        cut.answers.clear();
                        cut.metadata.truncation = true;
                        answer = cut.to_vec().unwrap();
                    }
                    udp.send_to(&answer, peer).unwrap();
                }
            }
        });
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut packet = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut packet).unwrap();
                if let Some(answer) = answer(&packet, &zone, &log) {
                    let length = u16::try_from(answer.len()).unwrap();
                    let whole = [&length.to_be_bytes()[..], &answer[..]].concat();
                    stream.write_all(&whole).unwrap();
                }
            }
        });
        let port = place.port();
        Self { port, asked }
    }

    /// The settings of a system that uses this name server.
    fn system(&self) -> (ResolverConfig, ResolverOpts) {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        let connections = connections.map(|mut it| {
            it.port = self.port;
            it
        });
        let ip = Ipv4Addr::LOCALHOST.into();
        let server = NameServerConfig::new(ip, true, connections.into());
        let search = ["a.test.", "b.test."].map(|it| Name::from_ascii(it).unwrap());
        let config = ResolverConfig::from_parts(None, search.into(), vec![server]);
        let mut options = ResolverOpts::default();
        options.timeout = Duration::from_secs(2);
        options.attempts = 1;
        (config, options)
    }

    fn configs(&self, host: &str) -> TxtConfigs {
        let system = self.system();
        configs(host, move || Ok(system.clone()))
    }

    /// The names that were asked for since this was last called.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(packet: &[u8], zone: &[(String, Says)], log: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let question = Message::from_vec(packet).unwrap();
    let query = question.queries.first().unwrap().clone();
    assert_eq!(query.query_type(), RecordType::TXT);
    let name = query.name().to_ascii().to_ascii_lowercase();
    let name = name.trim_end_matches('.').to_owned();
    log.lock().unwrap().push(name.clone());
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    let says = zone.iter().find(|(known, _)| *known == name);
    match says.map(|(_, says)| says) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(Says::Code(code)) => answer.metadata.response_code = *code,
        Some(Says::Nothing) => return None,
        Some(Says::Records(records)) => {
            for strings in records {
                let strings = strings.iter().map(Vec::as_slice).collect();
                let text = RData::TXT(TXT::from_bytes(strings));
                answer.add_answer(Record::from_rdata(query.name().clone(), 5, text));
            }
        }
    }
    answer.add_query(query);
    Some(answer.to_vec().unwrap())
}

fn configs(host: &str, system: impl Fn() -> System + Send + Sync + 'static) -> TxtConfigs {
    let mut configs = TxtConfigs::new(host, BOUND, &Arc::default());
    configs.read_system = Arc::new(system);
    configs
}

/// A record in strings of `length` bytes, identified by its config's timeout.
fn record(seconds: u64, length: usize) -> Vec<Vec<u8>> {
    let config = format!(r#"{{"methodConfig":[{{"name":[{{}}],"timeout":"{seconds}s"}}]}}"#);
    let text = format!(r#"grpc_config=[{{"clientLanguage":["rust"],"serviceConfig":{config}}}]"#);
    text.as_bytes().chunks(length).map(<[u8]>::to_vec).collect()
}

fn records(list: &[Vec<Vec<u8>>]) -> Says {
    Says::Records(list.to_vec())
}

async fn timeout_in(configs: &TxtConfigs) -> Option<u64> {
    let config = configs.config().await.unwrap()?;
    let method = config.of(&Method::unary("/shop.Orders/Get")).unwrap();
    Some(method.timeout.unwrap().as_secs())
}

async fn failure(configs: &TxtConfigs) -> String {
    let status = configs.config().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(configs.find().await.endpoints.is_err());
    status.message().to_owned()
}

#[tokio::test]
async fn the_strings_of_one_record_are_joined() {
    for length in [255, 10, 1] {
        let other = vec![b"v=spf1".to_vec(), b" -all".to_vec()];
        let zone = [(
            "_grpc_config.shop.test",
            records(&[other, record(7, length)]),
        )];
        let server = NameServer::start(&zone);
        assert_eq!(
            timeout_in(&server.configs("shop.test")).await,
            Some(7),
            "{length}"
        );
        assert_eq!(server.asked()[0], "_grpc_config.shop.test");
    }
}

#[tokio::test]
async fn a_record_that_is_too_long_for_udp_comes_over_tcp() {
    let mut long = record(7, 255);
    let spaces = [b' '; 255].to_vec();
    long.extend((0..40).map(|_| spaces.clone()));
    let server = NameServer::start(&[("_grpc_config.shop.test", records(&[long]))]);
    assert_eq!(timeout_in(&server.configs("shop.test")).await, Some(7));
    assert!(server.asked().len() >= 2);
}

#[tokio::test]
async fn no_name_no_record_and_records_of_other_things_are_no_config() {
    let other = records(&[vec![b"v=spf1 -all".to_vec()]]);
    for zone in [
        vec![],
        vec![("_grpc_config.shop.test", Says::Code(ResponseCode::NXDomain))],
        vec![("_grpc_config.shop.test", records(&[]))],
        vec![("_grpc_config.shop.test", other)],
    ] {
        let server = NameServer::start(&zone);
        let configs = server.configs("shop.test");
        assert_eq!(timeout_in(&configs).await, None);
        let found = configs.find().await;
        assert!(found.endpoints.unwrap().is_empty() && found.service_config.is_none());
    }
}

#[tokio::test]
async fn an_answer_that_is_a_failure_is_none_of_no_record() {
    let code = Says::Code(ResponseCode::ServFail);
    // The names that would be tried next have no record.
    let server = NameServer::start(&[("_grpc_config.shop.test", code)]);
    let text = failure(&server.configs("shop.test")).await;
    assert!(
        text.starts_with("resolve '_grpc_config.shop.test': "),
        "{text}"
    );
    assert!(text.contains("Server Failure"), "{text}");
    let asked = server.asked();
    assert!(
        asked.iter().all(|it| it == "_grpc_config.shop.test"),
        "{asked:?}"
    );

    let code = Says::Code(ResponseCode::Refused);
    let server = NameServer::start(&[("_grpc_config.shop.test", code)]);
    failure(&server.configs("shop.test")).await;

    let bad = vec![b"grpc_config=[{]".to_vec()];
    let server = NameServer::start(&[("_grpc_config.shop.test", records(&[bad]))]);
    let text = failure(&server.configs("shop.test")).await;
    assert!(
        text.starts_with(
            "resolve '_grpc_config.shop.test': the service config is invalid: the text is not JSON"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_waited_for_so_long() {
    let server = NameServer::start(&[("_grpc_config.shop.test", Says::Nothing)]);
    let mut configs = server.configs("shop.test");
    configs.timeout = Duration::from_millis(50);
    let began = Instant::now();
    let text = failure(&configs).await;
    assert_eq!(
        text,
        "resolve '_grpc_config.shop.test': no answer within 50ms"
    );
    assert!(began.elapsed() < BOUND);
}

#[tokio::test]
async fn what_the_system_is_set_to_is_read_each_time_and_may_be_unknown() {
    let zone = [("_grpc_config.shop.test", records(&[record(7, 255)]))];
    let server = NameServer::start(&zone);
    let system = server.system();
    let is_there = Arc::new(Mutex::new(false));
    let switch = Arc::clone(&is_there);
    let configs = configs("shop.test", move || {
        let is_there = *is_there.lock().unwrap();
        let there = is_there.then(|| system.clone());
        there.ok_or_else(|| "there is no such file".to_owned())
    });
    let text = failure(&configs).await;
    assert_eq!(
        text,
        "resolve '_grpc_config.shop.test': the system's name servers are not known: there is \
         no such file"
    );
    *switch.lock().unwrap() = true;
    assert_eq!(timeout_in(&configs).await, Some(7));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_resolv_conf_without_a_name_server_is_told() {
    let configs = configs("shop.test", || {
        let read = hickory_resolver::system_conf::parse_resolv_conf("search test\n");
        read.map_err(|error| error.to_string())
    });
    let text = failure(&configs).await;
    assert!(
        text.contains("not known: io error: no nameservers found"),
        "{text}"
    );
}

#[tokio::test]
async fn what_panics_is_a_failure() {
    let configs = configs("shop.test", || panic!("as it was told to"));
    let text = failure(&configs).await;
    assert!(text.contains("panicked"), "{text}");
}

#[tokio::test]
async fn a_name_that_is_none_is_a_failure() {
    let server = NameServer::start(&[]);
    let text = failure(&server.configs(&"x".repeat(64))).await;
    assert!(text.starts_with("resolve '_grpc_config.xxx"), "{text}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn names_are_tried_as_the_system_would_try_them() {
    let mut zone = vec![("_grpc_config.shop.b.test", records(&[record(7, 255)]))];
    let server = NameServer::start(&zone);
    assert_eq!(timeout_in(&server.configs("shop")).await, Some(7));
    let tried = [
        "_grpc_config.shop",
        "_grpc_config.shop.a.test",
        "_grpc_config.shop.b.test",
    ];
    assert_eq!(server.asked(), tried);
    assert_eq!(timeout_in(&server.configs("shop.")).await, None);
    assert_eq!(server.asked(), ["_grpc_config.shop"]);

    zone.push((
        "_grpc_config.shop.a.test",
        Says::Code(ResponseCode::ServFail),
    ));
    let server = NameServer::start(&zone);
    failure(&server.configs("shop")).await;
}

#[test]
fn a_name_with_few_dots_is_tried_as_it_is_at_last() {
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let search = vec![name("a.test."), name("b.test.")];
    let config = ResolverConfig::from_parts(Some(name("c.test.")), search, Vec::new());
    let tried = |text, config: &ResolverConfig, ndots| -> Vec<String> {
        let names = absolute(&name(text), config, ndots);
        names.iter().map(Name::to_ascii).collect()
    };
    let (a, b, c) = ("_x.y.a.test.", "_x.y.b.test.", "_x.y.c.test.");
    assert_eq!(tried("_x.y", &config, 1), ["_x.y.", a, b]);
    assert_eq!(tried("_x.y", &config, 2), [a, b, "_x.y."]);
    assert_eq!(tried("_x.y.", &config, 2), ["_x.y."]);
    let domain = ResolverConfig::from_parts(Some(name("c.test.")), Vec::new(), Vec::new());
    assert_eq!(tried("_x.y", &domain, 5), [c, "_x.y."]);
    let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
    assert_eq!(tried("_x.y", &none, 5), ["_x.y."]);
    let long = name(&(["abcdefg"; 31].join(".") + ".abc."));
    let long = ResolverConfig::from_parts(None, vec![long], Vec::new());
    assert_eq!(tried("_x.y", &long, 1), ["_x.y.".to_owned()]);
}
