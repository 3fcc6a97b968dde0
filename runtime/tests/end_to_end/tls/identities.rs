//! Who is let in: names, roots, expiry, and mutual TLS.

use super::certificates::Authority;
use super::{failure, serve, stub, who};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    CallCredentials, Channel, ChannelCredentials, ChannelError, ClientTls, Code, Context, Metadata,
    Phase, ServerCredentials, Status,
};
use rcgen::{KeyPair, SanType};

fn assert_tls(status: &Status, reason: &str) {
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.phase(), Some(Phase::Handshake), "{status}");
    assert!(
        status.message().starts_with("TLS with 127.0.0.1:"),
        "{status}"
    );
    assert!(status.message().contains(reason), "{status}");
    let source = std::error::Error::source(status).unwrap().to_string();
    assert_eq!(status.message().matches(&source).count(), 1, "{status}");
}

#[tokio::test]
async fn a_server_that_no_trusted_root_signed_is_refused() {
    let server = who(Authority::new().server().build().unwrap()).await;
    let status = failure(&stub(&server, Authority::new().client().build().unwrap())).await;
    assert_tls(&status, "invalid peer certificate: UnknownIssuer");
}

/// As one that was made anew, while the client has the root of before.
#[tokio::test]
async fn a_server_that_another_authority_of_the_same_name_signed_is_refused() {
    let [old, new] = [(), ()].map(|()| Authority::named("one", KeyPair::generate().unwrap()));
    let server = who(new.server().build().unwrap()).await;
    let status = failure(&stub(&server, old.client().build().unwrap())).await;
    let hint = "(a trusted root has its issuer's name and another key)";
    assert_tls(&status, hint);
}

#[tokio::test]
async fn the_systems_roots_do_not_trust_a_tests_authority() {
    // A machine without any roots is told so instead.
    let credentials = match ChannelCredentials::tls().build() {
        Ok(credentials) => credentials,
        Err(error) => return assert!(error.to_string().contains("ClientTls::roots"), "{error}"),
    };
    let server = who(Authority::new().server().build().unwrap()).await;
    assert_tls(&failure(&stub(&server, credentials)).await, "UnknownIssuer");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_unless_the_name_is_overridden() {
    let authority = Authority::new();
    let identity = authority.issue(&["service.test"]);
    let credentials = ServerCredentials::tls(identity.chain, identity.key);
    let server = who(credentials.build().unwrap()).await;
    let client = || authority.client();
    let status = failure(&stub(&server, client().build().unwrap())).await;
    assert_tls(&status, "service.test");

    let named = client().server_name("service.test").build().unwrap();
    stub(&server, named).unary(Echo::text("hi")).await.unwrap();

    // The authority names the server too, where the credentials do not.
    let channel = |authority: &str, credentials| {
        let builder = Channel::builder(&server.addresses()[0]).unwrap();
        EchoStub(builder.authority(authority).build(credentials).unwrap())
    };
    let named = channel("service.test:8080", client().build().unwrap());
    named.unary(Echo::text("hi")).await.unwrap();
    let other = client().server_name("service.test").build().unwrap();
    channel("other.test", other)
        .unary(Echo::text("hi"))
        .await
        .unwrap();
    let other = client().server_name("other.test").build().unwrap();
    assert_tls(
        &failure(&channel("service.test", other)).await,
        "service.test",
    );
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let identity = authority.issue_expired(&["127.0.0.1"]);
    let credentials = ServerCredentials::tls(identity.chain, identity.key);
    let server = who(credentials.build().unwrap()).await;
    let status = failure(&stub(&server, authority.client().build().unwrap())).await;
    assert_tls(&status, "expired");
}

#[tokio::test]
async fn handlers_see_who_calls() {
    let authority = Authority::new();
    let clients = Authority::new();
    let identity = clients.issue(&["client.test"]);
    let roots = clients.roots();
    for credentials in [
        authority.server().require_client_certificate(&roots),
        authority.server().accept_client_certificate(&roots),
    ] {
        let server = who(credentials.build().unwrap()).await;
        let client = authority.client().identity(&identity.chain, &identity.key);
        let stub = stub(&server, client.build().unwrap());
        for _ in 0..2 {
            let reply = stub.unary(Echo::text("hi")).await.unwrap();
            assert_eq!((reply.number, &reply.data), (1, &identity.der));
            assert!(reply.text.starts_with("127.0.0.1:"), "{}", reply.text);
        }
    }
}

/// Tells callers by which names they are known.
struct Names;

impl EchoServicer for Names {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let (dns, uris) = (context.peer_dns_names(), context.peer_uri_names());
        Ok(Echo::text(&format!(
            "{} / {}",
            dns.join(" "),
            uris.join(" ")
        )))
    }
}

#[tokio::test]
async fn handlers_see_the_names_in_the_callers_own_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let spiffe = "spiffe://shop.test/ns/prod/sa/cart";
    let named = clients.issue_with(&["cart.test", "*.carts.test", "10.1.2.3"], |params| {
        let uri = |text: &str| SanType::URI(text.try_into().unwrap());
        params
            .subject_alt_names
            .extend([uri(spiffe), uri("urn:cart")]);
    });
    let nameless = clients.issue(&[]);
    let credentials = authority.server();
    let credentials = credentials.accept_client_certificate(clients.roots());
    let server = serve(service(Names), credentials.build().unwrap()).await;
    let names = async |client: ClientTls| {
        let stub = stub(&server, client.build().unwrap());
        stub.unary(Echo::default()).await.unwrap().text
    };
    // Who signed it is in the chain too, and is nobody who calls.
    let chain = named.chain + &clients.roots();
    let known = authority.client().identity(chain, &named.key);
    let expected = format!("cart.test *.carts.test / {spiffe} urn:cart");
    assert_eq!(names(known).await, expected);
    let unnamed = authority.client().identity(nameless.chain, &nameless.key);
    assert_eq!(names(unnamed).await, " / ");
    assert_eq!(names(authority.client()).await, " / ");

    let plain = serve(service(Names), ServerCredentials::insecure()).await;
    let call = stub(&plain, ChannelCredentials::insecure()).unary(Echo::default());
    assert_eq!(call.await.unwrap().text, " / ");
}

#[tokio::test]
async fn a_client_without_a_certificate_comes_in_only_where_none_is_required() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let client = || authority.client().build().unwrap();
    let roots = clients.roots();

    let optional = authority.server().accept_client_certificate(&roots);
    let server = who(optional.build().unwrap()).await;
    let reply = stub(&server, client())
        .unary(Echo::text("hi"))
        .await
        .unwrap();
    assert_eq!(reply.number, 0);

    let not_asked = serve(service(super::Who), authority.server().build().unwrap()).await;
    let reply = stub(&not_asked, client())
        .unary(Echo::text("hi"))
        .await
        .unwrap();
    assert_eq!(reply.number, 0);

    let required = authority.server().require_client_certificate(&roots);
    let server = who(required.build().unwrap()).await;
    let status = failure(&stub(&server, client())).await;
    assert_tls(&status, "the peer wants a certificate of this side");
}

#[tokio::test]
async fn a_clients_certificate_that_no_trusted_root_signed_is_refused() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let stranger = Authority::new().issue(&["client.test"]);
    for credentials in [
        authority
            .server()
            .require_client_certificate(clients.roots()),
        authority
            .server()
            .accept_client_certificate(clients.roots()),
    ] {
        let server = who(credentials.build().unwrap()).await;
        let client = authority.client().identity(&stranger.chain, &stranger.key);
        let status = failure(&stub(&server, client.build().unwrap())).await;
        assert_tls(&status, "received fatal alert");
    }
}

#[tokio::test]
async fn names_that_no_certificate_can_have_are_errors_at_once() {
    let authority = Authority::new();
    for name in ["", "two words", "a/b", "ümlaut"] {
        let credentials = authority.client().server_name(name).build().unwrap();
        let error = Channel::new("127.0.0.1:1", credentials).unwrap_err();
        assert!(matches!(error, ChannelError::Authority { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        let builder = Channel::builder("127.0.0.1:1").unwrap().authority(name);
        assert!(builder.build(ChannelCredentials::insecure()).is_err());
    }
}

#[tokio::test]
async fn call_credentials_are_sent_over_tls() {
    let authority = Authority::new();
    let credentials = authority.server().build().unwrap();
    let server = serve(service(crate::calls::Echoes), credentials).await;
    let token = |value: &str| {
        let metadata = Metadata::from_pairs([("x-id", value)]).unwrap();
        CallCredentials::fixed(metadata)
    };
    let client = authority.client().build().unwrap();
    let stub = stub(&server, client.with_call_credentials(token("channel's")));
    let response = stub.unary(Echo::text("hi")).response().await.unwrap();
    assert_eq!(
        response.trailing_metadata.get("x-trailing"),
        Some("channel's")
    );

    let source = CallCredentials::from_source(|request| async move {
        let url = request.service_url;
        Ok(Metadata::from_pairs([("x-id", url)])?)
    });
    let client = authority.client().server_name("localhost").build().unwrap();
    let stub = super::stub(&server, client);
    let call = stub.unary(Echo::text("hi")).credentials(source);
    let response = call.response().await.unwrap();
    let url = response.trailing_metadata.get("x-trailing");
    assert_eq!(url, Some("https://localhost/test.Echo"));
}
