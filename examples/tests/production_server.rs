//! The example `production_server`: it serves, probes ask for its health, its certificate is
//! renewed while clients connect, and SIGTERM has it leave in order.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod program;

grpc_runtime::include_proto!("example");

use std::fs;
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, ChannelCredentials, Status};
use grpc_services::ServingStatus;
use grpc_services::proto::grpc::health::v1::{HealthCheckRequest, HealthStub};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use program::{BOUND, Program};

/// The example, and where it serves.
struct Production {
    program: Program,
    address: String,
    probe: HealthStub,
}

impl Production {
    fn start(security: &[&str]) -> Self {
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--probe", "127.0.0.1:0"];
        arguments.extend(security);
        let program = Program::start("production_server", &arguments);
        let line = program.line();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        // probes on ["127.0.0.1:50052"]
        let line = program.line();
        let probe = Channel::insecure(line.split('"').nth(1).unwrap()).unwrap();
        Self {
            program,
            address,
            probe: HealthStub::new(probe),
        }
    }
}

async fn greet(channel: &Channel) -> Result<String, Status> {
    let request = HelloRequest {
        greeting: "Ada".to_owned(),
    };
    let stub = HelloServiceStub::new(channel.clone());
    Ok(stub.say_hello(request).timeout(BOUND).await?.reply)
}

#[cfg(unix)]
#[tokio::test]
async fn production_server_serves_until_sigterm_and_leaves_in_order() {
    let server = Production::start(&["--plaintext"]);
    let channel = Channel::insecure(&server.address).unwrap();
    assert_eq!(greet(&channel).await.unwrap(), "Hello, Ada!");
    let mut watch = server.probe.watch(HealthCheckRequest::default()).start();
    let told = watch.next().await.unwrap().unwrap().status();
    assert_eq!(told, ServingStatus::Serving);

    let id = server.program.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-s", "TERM", &id]).status().unwrap().success());
    let told = watch.next().await.unwrap().unwrap().status();
    assert_eq!(told, ServingStatus::NotServing);
    // Who has not heard yet is served: on the old connection, and on a new one.
    let late = Channel::insecure(&server.address).unwrap();
    for channel in [channel, late] {
        assert_eq!(greet(&channel).await.unwrap(), "Hello, Ada!");
    }

    let end = tokio::task::spawn_blocking(|| server.program.finish());
    let (output, errors, ended_well) = end.await.unwrap();
    assert!(ended_well, "{errors}");
    assert_eq!(output, "0 calls cut\n");
    let logged = errors.matches("method=/example.HelloService/SayHello code=OK");
    assert_eq!(logged.count(), 3, "{errors}");
}

#[tokio::test]
async fn production_server_takes_a_renewed_certificate_while_clients_connect() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    // Both are the server's; by the other name a client knows which it is shown.
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), name.to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        [certificate.pem(), key.serialize_pem()]
    };
    let folder = std::env::temp_dir().join(format!("grpc-production-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let files = ["tls.crt", "tls.key"].map(|name| folder.join(name));
    let write = |identity: [String; 2]| {
        for (file, pem) in files.iter().zip(identity) {
            let new = file.with_extension("new");
            fs::write(&new, pem).unwrap();
            fs::rename(new, file).unwrap();
        }
    };
    write(issue("old.example"));

    let [certificate, key] = files.each_ref().map(|file| file.to_str().unwrap());
    let server = Production::start(&["--certificate", certificate, "--key", key]);
    let greeted_as = async |name: &str| {
        let credentials = ChannelCredentials::tls()
            .roots(authority.pem())
            .server_name(name)
            .build()
            .unwrap();
        greet(&Channel::new(&server.address, credentials).unwrap()).await
    };
    greeted_as("old.example").await.unwrap();
    greeted_as("new.example").await.unwrap_err();
    write(issue("new.example"));
    let begun = Instant::now();
    // Within half a minute.
    while greeted_as("new.example").await.is_err() {
        assert!(begun.elapsed() < BOUND, "it still shows the old one");
        greeted_as("localhost").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    greeted_as("localhost").await.unwrap();
    greeted_as("old.example").await.unwrap_err();

    let health = server.probe.check(HealthCheckRequest::default());
    let told = health.await.unwrap().status();
    assert_eq!(told, ServingStatus::Serving);
    fs::remove_dir_all(folder).unwrap();
}
