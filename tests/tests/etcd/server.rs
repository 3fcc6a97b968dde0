//! An etcd of a test's own: in a temporary folder, on ports that were free, and
//! gone with its value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use grpc_runtime::{Channel, ChannelCredentials};
use grpc_tests::certificates::{Authority, Files};

/// What any step here may take.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// Somebody else may take a port between our look at it and etcd's.
const ATTEMPTS: usize = 5;

pub(crate) struct Etcd {
    command: Command,
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
    credentials: ChannelCredentials,
}

impl Etcd {
    /// A server that listens. `name` is the test's, for its folder.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, None)
    }

    /// The same over TLS, for clients that this authority knows.
    pub(crate) fn start_with_tls(name: &str, authority: &Authority) -> Self {
        Self::start_with(name, Some(authority))
    }

    fn start_with(name: &str, authority: Option<&Authority>) -> Self {
        if let Err(error) = Command::new("etcd").arg("--version").output() {
            panic!("etcd does not run ({error}); on Debian: apt-get install etcd-server");
        }
        (0..ATTEMPTS)
            .find_map(|_| Self::attempt(name, authority))
            .expect("etcd does not start")
    }

    fn attempt(name: &str, authority: Option<&Authority>) -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("etcd-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (address, peers) = (free(), free());
        let scheme = if authority.is_some() { "https" } else { "http" };
        let (client, peer) = (format!("{scheme}://{address}"), format!("http://{peers}"));
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new("etcd");
        let credentials = match authority {
            Some(authority) => mutual_tls(&mut command, &folder, authority),
            None => ChannelCredentials::insecure(),
        };
        command
            .arg("--data-dir")
            .arg(folder.join("data"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            // Nothing here has to survive the machine.
            .arg("--unsafe-no-fsync")
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().unwrap();
        let mut etcd = Self {
            command,
            child,
            folder,
            address,
            credentials,
        };
        etcd.listens().then_some(etcd)
    }

    /// Waits until it listens; not so where it ends instead.
    fn listens(&mut self) -> bool {
        let end = Instant::now() + BOUND;
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(
                Instant::now() < end,
                "etcd does not listen; see {}",
                self.folder.display()
            );
            thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Kills it. What it holds stays.
    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, after [`stop`](Self::stop), at the same address with what it held.
    pub(crate) fn resume(&mut self) {
        let listens = (0..ATTEMPTS).any(|_| {
            self.child = self.command.spawn().unwrap();
            self.listens()
        });
        assert!(listens, "etcd does not start again");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel_with(self.credentials.clone())
    }

    pub(crate) fn channel_with(&self, credentials: ChannelCredentials) -> Channel {
        Channel::new(self.address.to_string(), credentials).unwrap()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What a failure's reader looks into stays.
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Makes etcd and its client known to each other.
fn mutual_tls(command: &mut Command, folder: &Path, authority: &Authority) -> ChannelCredentials {
    let files = Files::write(folder, authority, &["127.0.0.1"]).unwrap();
    command.arg("--client-cert-auth");
    command.arg("--trusted-ca-file").arg(files.roots);
    command.arg("--cert-file").arg(files.chain);
    command.arg("--key-file").arg(files.key);
    let client = authority.issue(&["client.example"]).unwrap();
    let credentials = ChannelCredentials::tls()
        .roots(authority.roots())
        .identity(client.chain, client.key);
    credentials.build().unwrap()
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
