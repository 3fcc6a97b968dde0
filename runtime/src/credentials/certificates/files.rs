//! Certificates in files that another program writes, read again at an interval. Unusable or
//! expired files do not replace certificates that are still valid.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;

use super::reload::{CertificateReload, date};
use super::settling::Settling;
use super::source::CertificateSource;
use super::value::{CertificateSet, Certificates};
use crate::clock;
use crate::credentials::error::CredentialsError;
use crate::transport::http2::durations::FOREVER;

/// A certificate is renewed long before it expires, so this is often enough.
const EVERY: Duration = Duration::from_secs(30);
/// A shorter interval is taken for a mistake of units and raised to this.
const LEAST: Duration = Duration::from_millis(10);
/// The longest file that is read, in bytes. A device, for one, may have no end.
const LONGEST: u64 = 4 << 20;

/// Files with certificates, keys and roots that are watched. Handshakes use the new content
/// of the files without a restart, and none fails during the change.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{CertificateFiles, Channel, ChannelCredentials, Server, ServerCredentials};
///
/// let certificates = CertificateFiles::new("/tls/tls.crt", "/tls/tls.key")
///     .roots("/tls/ca.crt")
///     .watch(|reload| eprintln!("{reload}"))?;
/// let credentials = ServerCredentials::from_source(certificates.clone())
///     .require_client_certificate()
///     .build()?;
/// let server = Server::builder().listen_with("[::]:443", credentials).start().await?;
///
/// // The same for the calls that this program makes itself.
/// let credentials = ChannelCredentials::from_source(certificates).build()?;
/// let channel = Channel::new("example.com", credentials)?;
/// # drop((server, channel));
/// # Ok(())
/// # }
/// ```
///
/// All files are read each time and compared by content, because times and inodes are not
/// reliable where Kubernetes swaps a link or a file is written in place. Changed content
/// must stay the same for one second (or one interval, if that is shorter) before it is
/// checked, so a certificate and its key may be written one after the other. The files are
/// then accepted or refused together. Files that are missing, cut off or do not match each
/// other leave the old certificates in use; so do certificates that have expired or are not
/// valid yet, as long as the old ones are valid.
#[derive(Clone, Debug)]
#[must_use = "files are read by `watch`"]
pub struct CertificateFiles {
    identities: Vec<(PathBuf, PathBuf)>,
    roots: Option<PathBuf>,
    every: Duration,
}

/// [`CertificateFiles`] that are watched. Clones are the same source. A separate thread
/// reads the files, so that a slow disk does not delay a handshake; the thread ends when the
/// last clone is dropped, including the clones in servers and channels.
#[derive(Clone)]
pub struct WatchedCertificates(Arc<Watching>);

/// Ends the thread when it is dropped.
struct Watching(Arc<WatchedFiles>);

/// What the thread shares with the handles.
struct WatchedFiles {
    current: ArcSwap<CertificateSet>,
    bell: Mutex<Bell>,
    rung: Condvar,
}

#[derive(Default)]
struct Bell {
    is_rung: bool,
    is_over: bool,
}

/// The content of one file, or why it cannot be read.
type FileContent = Result<Vec<u8>, String>;

impl CertificateFiles {
    /// A certificate chain and its key, in PEM, as for
    /// [`CertificatesBuilder::identity`](crate::CertificatesBuilder::identity).
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let none = Self {
            identities: Vec::new(),
            roots: None,
            every: EVERY,
        };
        none.identity(chain, key)
    }

    /// Only roots, in PEM: for channels without a certificate of their own.
    pub fn only_roots(pem: impl Into<PathBuf>) -> Self {
        Self {
            identities: Vec::new(),
            roots: Some(pem.into()),
            every: EVERY,
        }
    }

    /// Adds another chain and its key. A server shows the chain with the name that its
    /// client asks for (SNI), or the first chain if none has that name.
    pub fn identity(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identities.push((chain.into(), key.into()));
        self
    }

    /// The roots that verify peers, in PEM.
    pub fn roots(mut self, pem: impl Into<PathBuf>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// The time between two reads of the files: 30 s by default, at least 10 ms (shorter
    /// times are raised to that). With [`Duration::MAX`] the files are read only on
    /// [`WatchedCertificates::reload`].
    pub fn reload_every(mut self, time: Duration) -> Self {
        self.every = time.clamp(LEAST, FOREVER);
        self
    }

    /// Reads the files and starts to watch them. `tell` is called on the reading thread for
    /// each change, accepted or refused. It is a required argument because a refused change
    /// leaves the old certificates in use until they expire, which an operator has to see.
    ///
    /// # Errors
    /// A file cannot be read or has unusable content, or the system cannot start a thread.
    pub fn watch(
        self,
        tell: impl Fn(&CertificateReload) + Send + 'static,
    ) -> Result<WatchedCertificates, CredentialsError> {
        let contents = self.read();
        let Certificates(current) = self.judge(&contents)?;
        let watched = Arc::new(WatchedFiles {
            current: ArcSwap::new(current),
            bell: Mutex::default(),
            rung: Condvar::new(),
        });
        let settling = Settling::new(contents, self.every);
        let handle = WatchedCertificates(Arc::new(Watching(Arc::clone(&watched))));
        let thread = thread::Builder::new().name("grpc-certificates".to_owned());
        let thread = thread.spawn(move || watched.run(&self, settling, &tell));
        thread.map_err(|error| {
            let problem = format!("the system cannot start a thread to watch them: {error}");
            CredentialsError::caused_by("certificate files", problem, error)
        })?;
        Ok(handle)
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let pairs = self.identities.iter();
        pairs
            .flat_map(|(chain, key)| [chain, key])
            .chain(&self.roots)
    }

    /// The content of all files, in the order of the paths.
    fn read(&self) -> Vec<FileContent> {
        let read = |path: &PathBuf| read_file(path).map_err(|error| error.to_string());
        self.paths().map(read).collect()
    }

    fn judge(&self, contents: &[FileContent]) -> Result<Certificates, CredentialsError> {
        let mut files = self.paths().zip(contents);
        let mut next = || {
            let (path, content) = files.next()?;
            let file = path.display();
            let unread = |problem: &String| {
                let problem = format!("it cannot be read: {problem}");
                CredentialsError::new(format!("the file {file}"), problem)
            };
            Some(content.as_deref().map_err(unread))
        };
        let mut all = Certificates::builder();
        for (chain_path, key_path) in &self.identities {
            let (Some(chain), Some(key)) = (next(), next()) else {
                break;
            };
            let (chain, key) = (chain?, key?);
            // Each chain is checked alone first, so that the error names its files.
            let alone = Certificates::builder().identity(chain, key).build();
            alone.map_err(|error| error.in_files(&[chain_path, key_path]))?;
            all = all.identity(chain, key);
        }
        if let (Some(path), Some(pem)) = (&self.roots, next()) {
            all = all.roots(pem?);
            return all.build().map_err(|error| error.in_files(&[path]));
        }
        all.build()
    }

    fn names(&self) -> String {
        let names = self.paths().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > LONGEST {
        return Err(io::Error::other(
            "it is longer than 4 MiB, the most that is read",
        ));
    }
    Ok(content)
}

/// Whether new certificates may replace those in use, by their times of validity.
fn is_no_step_back(
    new: &Certificates,
    old: &Certificates,
    now: SystemTime,
) -> Result<(), CredentialsError> {
    let (Some(new), Some(old)) = (new.0.validity, old.0.validity) else {
        return Ok(());
    };
    if new.covers(now) || !old.covers(now) {
        return Ok(());
    }
    let problem = if now > new.until {
        format!("it expired at {}", date(new.until))
    } else {
        let from = date(new.from);
        format!("it is valid only from {from} on, by the clock of this machine")
    };
    Err(CredentialsError::new("certificate chain", problem))
}

impl WatchedFiles {
    fn run(
        &self,
        files: &CertificateFiles,
        mut settling: Settling<Vec<FileContent>>,
        tell: &dyn Fn(&CertificateReload),
    ) {
        while self.wait(settling.rest()) {
            let Some(contents) = settling.look(files.read(), Instant::now()) else {
                continue;
            };
            let judged = files.judge(contents);
            let old = Certificates(self.current.load_full());
            let judged = judged.and_then(|new| {
                is_no_step_back(&new, &old, clock::wall())?;
                Ok(new)
            });
            let reload = match judged {
                Ok(new) => {
                    let valid_until = new.valid_until();
                    self.current.store(new.0);
                    settling.taken();
                    CertificateReload::Taken {
                        files: files.names(),
                        valid_until,
                    }
                }
                Err(_) if !settling.refused() => continue,
                Err(error) => CertificateReload::Refused {
                    files: files.names(),
                    error,
                    valid_until: old.valid_until(),
                },
            };
            // The panic hook has reported the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| tell(&reload)));
        }
    }

    /// Waits for the next read or a request for one; `false` once all handles are dropped.
    fn wait(&self, time: Duration) -> bool {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = |bell: &mut Bell| !bell.is_rung && !bell.is_over;
        let waited = self.rung.wait_timeout_while(bell, time, is_silent);
        let (mut bell, _) = waited.unwrap_or_else(PoisonError::into_inner);
        bell.is_rung = false;
        !bell.is_over
    }

    fn ring(&self, is_over: bool) {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        bell.is_rung = true;
        bell.is_over |= is_over;
        self.rung.notify_one();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.ring(true);
    }
}

impl WatchedCertificates {
    /// Reads the files now, for example after a SIGHUP. Returns at once; the thread reads
    /// the files.
    pub fn reload(&self) {
        self.0.0.ring(false);
    }
}

impl CertificateSource for WatchedCertificates {
    fn certificates(&self) -> Certificates {
        Certificates(self.0.0.current.load_full())
    }
}

impl fmt::Debug for WatchedCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.certificates();
        f.debug_tuple("WatchedCertificates")
            .field(&current)
            .finish()
    }
}
