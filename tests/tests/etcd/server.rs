//! An etcd of a test's own: in a temporary folder, on ports that were free, and
//! gone with its value.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use grpc_runtime::Channel;

/// What any step here may take.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// Somebody else may take a port between our look at it and etcd's.
const ATTEMPTS: usize = 5;

pub(crate) struct Etcd {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Etcd {
    /// A server that listens; `None`, having said so, where there is no etcd.
    /// `name` is the test's, for its folder.
    pub(crate) fn start(name: &str) -> Option<Self> {
        if let Err(error) = Command::new("etcd").arg("--version").output() {
            eprintln!(
                "skipped: etcd does not run ({error}); on Debian: apt-get install etcd-server"
            );
            return None;
        }
        let started = (0..ATTEMPTS).find_map(|_| Self::attempt(name));
        Some(started.expect("etcd does not start"))
    }

    fn attempt(name: &str) -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("etcd-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (address, peers) = (free(), free());
        let (client, peer) = (format!("http://{address}"), format!("http://{peers}"));
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new("etcd")
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
            .stderr(log)
            .spawn()
            .unwrap();
        let mut etcd = Self {
            child,
            folder,
            address,
        };
        let end = Instant::now() + BOUND;
        while TcpStream::connect(etcd.address).is_err() {
            if etcd.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(
                Instant::now() < end,
                "etcd does not listen; see {}",
                etcd.folder.display()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Some(etcd)
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::insecure(self.address.to_string()).unwrap()
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

fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
