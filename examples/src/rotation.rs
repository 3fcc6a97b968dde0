//! Mutual TLS whose certificates are replaced while clients connect all the time: first
//! the roots that are trusted, then the certificates, then the old roots go. Both sides
//! watch files, as a sidecar or cert-manager writes them, and no handshake fails.

grpc_runtime::include_proto!("example");

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{
    CertificateFiles, Channel, ChannelCredentials, Context, Server, ServerCredentials, Status,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ROTATIONS: usize = 5;

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let caller = context.peer_dns_names().join(", ");
        Ok(HelloResponse {
            reply: format!("Hello, {}! You are {caller}.", request.greeting),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

async fn run() -> Result<String, Box<dyn Error>> {
    let mut authority = Authority::new(0)?;
    let folder = std::env::temp_dir().join(format!("grpc-rotation-{}", std::process::id()));
    let mut server_end = End::new(folder.join("server"), "localhost")?;
    let mut client_end = End::new(folder.join("client"), "a-client")?;
    for end in [&server_end, &client_end] {
        end.write_roots(&authority.0.pem())?;
        end.write_identity(&authority)?;
    }

    let credentials = ServerCredentials::from_source(server_end.watch()?);
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with(
            "127.0.0.1:0",
            credentials.require_client_certificate().build()?,
        )
        .start()
        .await?;
    let credentials = ChannelCredentials::from_source(client_end.watch()?)
        .server_name("localhost")
        .build()?;

    // Each call has a new connection, and so a new handshake.
    let is_over = Arc::new(AtomicBool::new(false));
    let handshakes = Arc::new(AtomicUsize::new(0));
    let load = tokio::spawn({
        let (is_over, handshakes) = (Arc::clone(&is_over), Arc::clone(&handshakes));
        let address = server.addresses()[0].clone();
        async move {
            let mut failures = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let channel = Channel::new(&address, credentials.clone());
                let stub = HelloServiceStub::new(channel.map_err(|error| error.to_string())?);
                let request = HelloRequest {
                    greeting: "World".to_owned(),
                };
                if let Err(status) = stub.say_hello(request).await {
                    failures.push(status.to_string());
                }
                handshakes.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, String>(failures)
        }
    });

    for number in 1..=ROTATIONS {
        let next = Authority::new(number)?;
        let both = authority.0.pem() + &next.0.pem();
        let ends = [&mut server_end, &mut client_end];
        // First all ends trust the new authority, then all get certificates of it, and only
        // then trust in the old authority ends.
        for end in ends {
            end.write_roots(&both)?;
            end.taken().await?;
        }
        for end in [&mut server_end, &mut client_end] {
            end.write_identity(&next)?;
            end.taken().await?;
        }
        // Handshakes that began with the old certificates come to their end.
        let begun = handshakes.load(Ordering::Relaxed);
        while !load.is_finished() && handshakes.load(Ordering::Relaxed) < begun + 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for end in [&mut server_end, &mut client_end] {
            end.write_roots(&next.0.pem())?;
            end.taken().await?;
        }
        authority = next;
    }

    is_over.store(true, Ordering::Relaxed);
    let failures = load.await??;
    fs::remove_dir_all(folder)?;
    for failure in &failures {
        eprintln!("{failure}");
    }
    Ok(format!(
        "{ROTATIONS} rotations; failed handshakes: {} of {}",
        failures.len(),
        handshakes.load(Ordering::Relaxed)
    ))
}

/// One side's files, and the reports of their reloads.
struct End {
    folder: PathBuf,
    name: &'static str,
    told: Option<UnboundedReceiver<bool>>,
}

impl End {
    fn new(folder: PathBuf, name: &'static str) -> Result<Self, std::io::Error> {
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            name,
            told: None,
        })
    }

    fn watch(&mut self) -> Result<grpc_runtime::WatchedCertificates, Box<dyn Error>> {
        let (sender, told) = unbounded_channel();
        self.told = Some(told);
        let path = |name: &str| self.folder.join(name);
        let files = CertificateFiles::new(path("tls.crt"), path("tls.key"))
            .roots(path("ca.crt"))
            // A program has no such hurry.
            .reload_every(Duration::from_millis(20));
        Ok(files.watch(move |reload| {
            if reload.is_refused() {
                eprintln!("{reload}");
            }
            let _ = sender.send(!reload.is_refused());
        })?)
    }

    /// Waits until the written files are in use.
    async fn taken(&mut self) -> Result<(), &'static str> {
        let told = self.told.as_mut().ok_or("nobody watches")?;
        while !told.recv().await.ok_or("nobody watches any more")? {}
        Ok(())
    }

    fn write_roots(&self, pem: &str) -> Result<(), std::io::Error> {
        replace(&self.folder.join("ca.crt"), pem)
    }

    /// Writes a certificate, and then its key: between the two they do not match.
    fn write_identity(&self, authority: &Authority) -> Result<(), Box<dyn Error>> {
        let (chain, key) = authority.issue(self.name)?;
        replace(&self.folder.join("tls.crt"), &chain)?;
        replace(&self.folder.join("tls.key"), &key)?;
        Ok(())
    }
}

/// In one step, as whoever writes files that others read should.
fn replace(path: &Path, content: &str) -> Result<(), std::io::Error> {
    let new = path.with_extension("new");
    fs::write(&new, content)?;
    fs::rename(new, path)
}

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(number: usize) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        let name = format!("the example's authority {number}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// A certificate for `name` and its key, in PEM.
    fn issue(&self, name: &str) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.0)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_handshake_fails() {
        let told = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(super::run());
        let told = told.unwrap();
        assert!(
            told.starts_with("5 rotations; failed handshakes: 0 of "),
            "{told}"
        );
    }
}
