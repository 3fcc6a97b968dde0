//! Certificates, keys and roots that change while servers and channels use them.

mod files;
mod under_load;

use std::sync::{Arc, Mutex};

use super::certificates::{Authority, Identity};
use super::{BOUND, Who, failure, stub, who};
use crate::observers::Hears;
use crate::support::{Echo, service};
use grpc_runtime::{
    CertificateSource, Certificates, CertificatesBuilder, ChannelCredentials, Server,
    ServerCredentials,
};

/// Those that the test set last.
#[derive(Clone)]
struct Latest(Arc<Mutex<Certificates>>);

impl Latest {
    fn new(certificates: CertificatesBuilder) -> Self {
        Self(Arc::new(Mutex::new(certificates.build().unwrap())))
    }

    fn set(&self, certificates: CertificatesBuilder) {
        *self.0.lock().unwrap() = certificates.build().unwrap();
    }
}

impl CertificateSource for Latest {
    fn certificates(&self) -> Certificates {
        self.0.lock().unwrap().clone()
    }
}

fn identity(identity: &Identity) -> CertificatesBuilder {
    Certificates::builder().identity(&identity.chain, &identity.key)
}

fn local(authority: &Authority) -> CertificatesBuilder {
    identity(&authority.issue(&["localhost", "127.0.0.1"]))
}

#[tokio::test]
async fn each_handshake_has_the_certificate_and_the_roots_that_are_current() {
    let (old, new) = (Authority::new(), Authority::new());
    let at_server = Latest::new(local(&old));
    let at_client = Latest::new(Certificates::builder().roots(old.roots()));
    let server = ServerCredentials::from_source(at_server.clone()).build();
    let server = who(server.unwrap()).await;
    let credentials = ChannelCredentials::from_source(at_client.clone());
    let credentials = credentials.build().unwrap();
    let before = stub(&server, credentials.clone());
    before.unary(Echo::default()).await.unwrap();

    at_server.set(local(&new));
    let status = failure(&stub(&server, credentials.clone())).await;
    assert!(status.message().contains("UnknownIssuer"), "{status}");
    at_client.set(Certificates::builder().roots(new.roots()));
    let after = stub(&server, credentials);
    after.unary(Echo::default()).await.unwrap();
    before.unary(Echo::text("still connected")).await.unwrap();
}

#[tokio::test]
async fn clients_are_told_apart_by_the_roots_that_are_current() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let at_server = Latest::new(local(&authority).roots(old.roots()));
    let at_client = Latest::new(identity(&old.issue(&["old"])).roots(authority.roots()));
    let credentials = ServerCredentials::from_source(at_server.clone());
    let server = who(credentials.require_client_certificate().build().unwrap()).await;
    let credentials = ChannelCredentials::from_source(at_client.clone());
    let credentials = credentials.build().unwrap();
    stub(&server, credentials.clone())
        .unary(Echo::default())
        .await
        .unwrap();

    // Both have sessions that could be resumed; none outlives the roots it was made by.
    at_server.set(local(&authority).roots(new.roots()));
    failure(&stub(&server, credentials.clone())).await;
    at_client.set(identity(&new.issue(&["new"])).roots(authority.roots()));
    let reply = stub(&server, credentials).unary(Echo::default()).await;
    assert_eq!(reply.unwrap().number, 1);
}

#[tokio::test]
async fn a_client_without_a_certificate_comes_in_where_it_may() {
    let authority = Authority::new();
    let credentials = ServerCredentials::from_source({
        let certificates = local(&authority).roots(authority.roots());
        let certificates = certificates.build().unwrap();
        move || certificates.clone()
    });
    let server = who(credentials.accept_client_certificate().build().unwrap()).await;
    let known = identity(&authority.issue(&["known"])).roots(authority.roots());
    let known = ChannelCredentials::from_source(known.build().unwrap());
    for (credentials, certificates) in [
        (authority.client().build().unwrap(), 0),
        (known.build().unwrap(), 1),
    ] {
        let reply = stub(&server, credentials).unary(Echo::default()).await;
        assert_eq!(reply.unwrap().number, certificates);
    }
}

/// The client verifies the name, so the call goes through with the right one alone.
#[tokio::test]
async fn a_server_shows_the_certificate_of_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let mut all = local(&authority);
    for names in [&["a.test", "127.0.0.1"][..], &["*.B.test"], &["x.b.test"]] {
        let issued = authority.issue(names);
        all = all.identity(issued.chain, issued.key);
    }
    let all = all.build().unwrap();
    let server = who(ServerCredentials::from_source(all).build().unwrap()).await;
    let first = stub(&server, authority.client().build().unwrap());
    let first = first.unary(Echo::default()).await.unwrap();
    for name in ["localhost", "a.test", "A.TEST", "y.b.test", "x.b.test"] {
        let client = authority.client().server_name(name).build().unwrap();
        let called = stub(&server, client).unary(Echo::default()).await;
        called.unwrap_or_else(|status| panic!("{name}: {status}"));
    }
    assert_eq!(first.text.split(':').next(), Some("127.0.0.1"));
    for name in ["b.test", "z.x.b.test", "other.test"] {
        let client = authority.client().server_name(name).build().unwrap();
        let status = failure(&stub(&server, client)).await;
        // It was shown the first.
        assert!(status.message().contains("localhost"), "{name}: {status}");
    }
}

#[tokio::test]
async fn a_source_that_has_nothing_fails_handshakes_and_says_so() {
    let hears = Hears::default();
    let authority = Authority::new();
    let at_server = Latest::new(local(&authority).roots(authority.roots()));
    let credentials = ServerCredentials::from_source(at_server.clone());
    let server = Server::builder()
        .add_service(service(Who))
        .observe(hears.clone())
        .listen_with(
            "127.0.0.1:0",
            credentials.require_client_certificate().build().unwrap(),
        )
        .start()
        .await
        .unwrap();
    let known = identity(&authority.issue(&["known"])).roots(authority.roots());
    let at_client = Latest::new(known);
    let credentials = ChannelCredentials::from_source(at_client.clone());
    let credentials = credentials.build().unwrap();

    at_server.set(local(&authority));
    failure(&stub(&server, credentials.clone())).await;
    let line = hears.lines(1).await.remove(0);
    assert!(
        line.contains("certificate source: it has no roots"),
        "{line}"
    );
    at_server.set(local(&authority).roots(authority.roots()));
    at_client.set(Certificates::builder());
    let status = failure(&stub(&server, credentials)).await;
    assert!(
        status
            .message()
            .contains("this side cannot shake hands: certificate source: it has no roots"),
        "{status}"
    );
}

#[tokio::test]
async fn a_source_that_panics_fails_its_handshake_and_nothing_else() {
    let authority = Authority::new();
    let certificates = local(&authority).build().unwrap();
    let is_broken = Arc::new(Mutex::new(false));
    let source = {
        let is_broken = Arc::clone(&is_broken);
        move || {
            assert!(!std::mem::take(&mut *is_broken.lock().unwrap()));
            certificates.clone()
        }
    };
    let server = who(ServerCredentials::from_source(source).build().unwrap()).await;
    let client = authority.client().build().unwrap();
    *is_broken.lock().unwrap() = true;
    failure(&stub(&server, client.clone())).await;
    let call = stub(&server, client).unary(Echo::default()).timeout(BOUND);
    call.await.unwrap();
}

#[test]
fn what_a_source_lacks_is_told_when_credentials_are_built() {
    let authority = Authority::new();
    let nothing = || Certificates::builder().build().unwrap();
    let error = ServerCredentials::from_source(nothing).build().unwrap_err();
    let expected = "certificate source: it has no certificate for the server, nor its key";
    assert_eq!(error.to_string(), expected);
    let alone = local(&authority).build().unwrap();
    let server = ServerCredentials::from_source(alone.clone()).require_client_certificate();
    let error = server.build().unwrap_err();
    assert!(error.to_string().contains("no roots"), "{error}");
    let error = ChannelCredentials::from_source(alone).build().unwrap_err();
    assert!(error.to_string().contains("system_roots"), "{error}");
}

#[test]
fn certificates_know_until_when_they_are_valid_and_show_no_key() {
    let authority = Authority::new();
    let issued = authority.issue_expired(&["a.test"]);
    let certificates = identity(&issued).build().unwrap();
    let until = certificates.valid_until().unwrap();
    let until = until.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(until.as_secs(), 1_009_843_200);
    let roots = Certificates::builder().roots(authority.roots());
    assert_eq!(roots.build().unwrap().valid_until(), None);
    let shown = format!("{certificates:?} {:?}", identity(&issued));
    assert!(!shown.contains("PRIVATE"), "{shown}");
}
