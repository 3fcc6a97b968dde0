//! Files that are watched: what is taken, what is refused and told, and what stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::certificates::{Authority, Identity};
use super::super::{BOUND, failure, stub, who};
use crate::support::{Echo, EchoStub};
use grpc_runtime::{
    CertificateFiles, CertificateSource, ChannelCredentials, Server, ServerCredentials,
    WatchedCertificates,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(super) const SOON: Duration = Duration::from_millis(10);

/// A folder of its own for one test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("grpc-runtime-certificates-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let written = self.path("written");
        std::fs::write(&written, content).unwrap();
        std::fs::rename(written, self.path(name)).unwrap();
    }

    pub(super) fn write_identity(&self, identity: &Identity) {
        self.write("tls.crt", &identity.chain);
        self.write("tls.key", &identity.key);
    }

    pub(super) fn files(&self) -> CertificateFiles {
        let files = CertificateFiles::new(self.path("tls.crt"), self.path("tls.key"));
        files.reload_every(SOON)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a watch tells, line by line.
pub(super) struct Told(UnboundedReceiver<String>);

impl Told {
    pub(super) fn watch(files: CertificateFiles) -> (WatchedCertificates, Self) {
        let (sender, lines) = unbounded_channel();
        let watched = files.watch(move |reload| {
            sender.send(reload.to_string()).unwrap();
        });
        (watched.unwrap(), Self(lines))
    }

    /// The next line with this text. What was written in two steps may have been looked at
    /// between them, on a busy machine.
    async fn line_with(&mut self, text: &str) -> String {
        let mut others = Vec::new();
        loop {
            let line = tokio::time::timeout(BOUND, self.0.recv()).await;
            let Ok(line) = line else {
                panic!("{text} is not in {others:?}");
            };
            let line = line.unwrap();
            if line.contains(text) {
                return line;
            }
            others.push(line);
        }
    }

    pub(super) async fn taken(&mut self) -> String {
        self.line_with(" are in use").await
    }
}

fn local(authority: &Authority) -> Identity {
    authority.issue(&["localhost", "127.0.0.1"])
}

async fn serve(watched: &WatchedCertificates) -> Server {
    who(ServerCredentials::from_source(watched.clone())
        .build()
        .unwrap())
    .await
}

fn fresh(server: &Server, authority: &Authority) -> EchoStub {
    stub(server, authority.client().build().unwrap())
}

#[tokio::test]
async fn what_is_written_is_used_by_the_next_handshake() {
    let (folder, old, new) = (Folder::new(), Authority::new(), Authority::new());
    folder.write_identity(&local(&old));
    let (watched, mut told) = Told::watch(folder.files());
    let server = serve(&watched).await;
    let before = fresh(&server, &old);
    before.unary(Echo::default()).await.unwrap();

    folder.write_identity(&local(&new));
    let line = told.taken().await;
    let files = format!("{}/tls.crt, {0}/tls.key", folder.0.display());
    let begins = format!("the new certificates of {files} are in use, valid until 4096-01-01");
    assert!(line.starts_with(&begins), "{line}");
    fresh(&server, &new).unary(Echo::default()).await.unwrap();
    before.unary(Echo::text("still connected")).await.unwrap();
    failure(&fresh(&server, &old)).await;
}

/// What a person is woken by.
#[tokio::test]
async fn a_key_that_does_not_match_leaves_the_old_pair_and_is_told() {
    let (folder, old, new) = (Folder::new(), Authority::new(), Authority::new());
    folder.write_identity(&local(&old));
    let (watched, mut told) = Told::watch(folder.files());
    let server = serve(&watched).await;

    let issued = local(&new);
    folder.write("tls.crt", &issued.chain);
    let line = told.line_with("not taken").await;
    let (chain, key) = (folder.path("tls.crt"), folder.path("tls.key"));
    let (chain, key) = (chain.display(), key.display());
    let expected = format!(
        "the new certificates of {chain}, {key} were not taken: certificate chain and private \
         key in {chain} and {key}: the key is not that of the first certificate; the chain \
         begins with the certificate that the key belongs to; the old ones, valid until \
         4096-01-01T00:00:00Z, stay in use"
    );
    assert_eq!(line, expected);
    fresh(&server, &old).unary(Echo::default()).await.unwrap();

    folder.write("tls.key", &issued.key);
    told.taken().await;
    fresh(&server, &new).unary(Echo::default()).await.unwrap();
}

#[tokio::test]
async fn bad_files_of_every_kind_leave_the_old_ones_in_use() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = local(&authority);
    folder.write_identity(&issued);
    folder.write("ca.crt", authority.roots());
    let files = folder.files().roots(folder.path("ca.crt"));
    let (watched, mut told) = Told::watch(files);
    let server = serve(&watched).await;
    let roots = authority.roots();
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let expired = authority.issue_expired(&["127.0.0.1"]);
    let early = authority.issue_with(&["127.0.0.1"], |params| {
        params.not_before = rcgen::date_time_ymd(3_000, 1, 1);
    });
    let bad: [(&dyn Fn(), &str); 9] = [
        (&|| folder.write("tls.crt", ""), "it is empty"),
        (&|| folder.write("tls.crt", half(&issued.chain)), "cut off"),
        (&|| folder.write("tls.key", half(&issued.key)), "cut off"),
        (
            &|| folder.write("ca.crt", half(&roots)),
            "root certificates in",
        ),
        (&|| folder.write("tls.key", "no key"), "PRIVATE KEY"),
        (
            &|| std::fs::remove_file(folder.path("tls.key")).unwrap(),
            "tls.key: it cannot be read",
        ),
        (
            &|| {
                std::fs::remove_file(folder.path("tls.crt")).unwrap();
                std::fs::create_dir(folder.path("tls.crt")).unwrap();
            },
            "it is not a regular file",
        ),
        (&|| folder.write_identity(&expired), "it expired at"),
        (
            &|| folder.write_identity(&early),
            "only from 3000-01-01T00:00:00Z on",
        ),
    ];
    for (write, expected) in bad {
        write();
        let line = told.line_with(expected).await;
        assert!(line.contains("not taken"), "{line}");
        assert!(!line.contains("BEGIN PRIVATE KEY-----\n"), "{line}");
        let call = fresh(&server, &authority).unary(Echo::default());
        call.await.unwrap();
        let _ = std::fs::remove_dir(folder.path("tls.crt"));
        folder.write_identity(&issued);
        folder.write("ca.crt", &roots);
    }
    let new = Authority::new();
    folder.write_identity(&local(&new));
    told.taken().await;
    fresh(&server, &new).unary(Echo::default()).await.unwrap();
}

/// As Kubernetes does it: all files are behind one link, which is swapped.
#[cfg(unix)]
#[tokio::test]
async fn a_link_that_is_swapped_changes_all_at_once() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    let generation = |number: usize, authority: &Authority| {
        let path = folder.path(&format!("..{number}"));
        std::fs::create_dir(&path).unwrap();
        let issued = local(authority);
        std::fs::write(path.join("tls.crt"), issued.chain).unwrap();
        std::fs::write(path.join("tls.key"), issued.key).unwrap();
        std::fs::write(path.join("ca.crt"), authority.roots()).unwrap();
        symlink(&path, folder.path("..data_tmp")).unwrap();
        std::fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    };
    let first = Authority::new();
    generation(0, &first);
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(Path::new("..data").join(name), folder.path(name)).unwrap();
    }
    let files = folder.files().roots(folder.path("ca.crt"));
    let (watched, mut told) = Told::watch(files);
    let server = ServerCredentials::from_source(watched.clone());
    let server = who(server.require_client_certificate().build().unwrap()).await;
    let credentials = ChannelCredentials::from_source(watched).build().unwrap();
    for number in 1..10 {
        let reply = stub(&server, credentials.clone()).unary(Echo::default());
        assert_eq!(reply.await.unwrap().number, 1);
        generation(number, &Authority::new());
        told.taken().await;
        std::fs::remove_dir_all(folder.path(&format!("..{}", number - 1))).unwrap();
    }
}

#[tokio::test]
async fn one_that_is_told_to_looks_at_once() {
    let (folder, old, new) = (Folder::new(), Authority::new(), Authority::new());
    folder.write("ca.crt", old.roots());
    let files = CertificateFiles::only_roots(folder.path("ca.crt"));
    let (watched, mut told) = Told::watch(files.reload_every(Duration::MAX));
    let credentials = ChannelCredentials::from_source(watched.clone())
        .build()
        .unwrap();
    let server = who(new.server().build().unwrap()).await;
    failure(&stub(&server, credentials.clone())).await;
    folder.write("ca.crt", new.roots());
    watched.reload();
    told.taken().await;
    let call = stub(&server, credentials).unary(Echo::default());
    call.await.unwrap();
}

#[tokio::test]
async fn further_identities_are_shown_by_name() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_identity(&local(&authority));
    let mut files = folder.files();
    for name in ["a.test", "b.test"] {
        let issued = authority.issue(&[name]);
        let (chain, key) = (format!("{name}.crt"), format!("{name}.key"));
        folder.write(&chain, issued.chain);
        folder.write(&key, issued.key);
        files = files.identity(folder.path(&chain), folder.path(&key));
    }
    let (watched, _told) = Told::watch(files);
    let server = serve(&watched).await;
    for name in ["localhost", "a.test", "b.test"] {
        let client = authority.client().server_name(name).build().unwrap();
        stub(&server, client).unary(Echo::default()).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_is_told_may_panic() {
    let (folder, old, new) = (Folder::new(), Authority::new(), Authority::new());
    folder.write("ca.crt", old.roots());
    let calls = Arc::new(AtomicUsize::new(0));
    let files = CertificateFiles::only_roots(folder.path("ca.crt")).reload_every(Duration::ZERO);
    let watched = {
        let calls = Arc::clone(&calls);
        files.watch(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            panic!("told")
        })
    };
    let watched = watched.unwrap();
    for (count, roots) in [(1, "no roots"), (2, &new.roots())] {
        folder.write("ca.crt", roots);
        let told = async {
            while calls.load(Ordering::SeqCst) < count {
                tokio::time::sleep(SOON).await;
            }
        };
        tokio::time::timeout(BOUND, told).await.unwrap();
    }
    let server = who(new.server().build().unwrap()).await;
    let credentials = ChannelCredentials::from_source(watched).build().unwrap();
    let call = stub(&server, credentials).unary(Echo::default());
    call.await.unwrap();
}

/// What `tell` holds goes with the thread.
#[tokio::test]
async fn nothing_is_watched_for_nobody() {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_identity(&local(&authority));
    let (watched, mut told) = Told::watch(folder.files().reload_every(Duration::MAX));
    let server = serve(&watched).await;
    drop(watched);
    tokio::time::sleep(5 * SOON).await;
    assert!(told.0.try_recv().is_err() && !told.0.is_closed());
    drop(server);
    let over = tokio::time::timeout(BOUND, told.0.recv()).await;
    assert_eq!(over.unwrap(), None);
}

#[test]
fn files_that_cannot_be_used_at_first_are_errors_that_name_them() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let watch = |files: CertificateFiles| files.watch(|_| ()).unwrap_err().to_string();
    let error = watch(folder.files());
    let expected = format!("the file {}: it cannot", folder.path("tls.crt").display());
    assert!(error.starts_with(&expected), "{error}");

    folder.write_identity(&local(&authority));
    folder.write("tls.key", local(&authority).key);
    let error = watch(folder.files());
    assert!(error.contains("tls.key: the key is not"), "{error}");

    folder.write("tls.key", "x".repeat(5 << 20));
    let error = watch(folder.files());
    assert!(error.contains("longer than 4 MiB"), "{error}");
    let error = watch(CertificateFiles::only_roots("/"));
    assert_eq!(
        error,
        "the file /: it cannot be read: it is not a regular file"
    );
    folder.write("ca.crt", "");
    let error = watch(CertificateFiles::only_roots(folder.path("ca.crt")));
    assert!(error.starts_with("root certificates in "), "{error}");

    folder.write_identity(&local(&authority));
    let watched = folder.files().watch(|_| ()).unwrap();
    assert!(watched.certificates().valid_until().is_some());
    assert!(format!("{watched:?}").contains("valid_until"));
}
