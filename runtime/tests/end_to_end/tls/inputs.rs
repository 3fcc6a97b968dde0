//! Certificates and keys that cannot be used: told at once, by name, with what
//! to do.

use super::certificates::Authority;
use grpc_runtime::{ChannelCredentials, CredentialsError, ServerCredentials};

fn assert_says(error: &CredentialsError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    let other = authority.issue(&["localhost"]);
    let (chain, key) = (&identity.chain, &identity.key);
    let server = |chain: &[u8], key: &[u8]| ServerCredentials::tls(chain, key).build().unwrap_err();

    let error = server(b"", key.as_bytes());
    assert_says(&error, &["certificate chain", "it is empty"]);
    let error = server(key.as_bytes(), key.as_bytes());
    assert_says(&error, &["certificate chain", "BEGIN CERTIFICATE"]);
    let error = server(&identity.der, key.as_bytes());
    assert_says(&error, &["certificate chain", "looks like DER", "PEM"]);
    let error = server(chain.as_bytes(), chain.as_bytes());
    assert_says(&error, &["private key", "BEGIN PRIVATE KEY"]);
    let error = server(chain.as_bytes(), other.key.as_bytes());
    assert_says(&error, &["chain and private key", "not that of the first"]);
    let error = server(&chain.as_bytes()[..100], key.as_bytes());
    assert_says(&error, &["certificate chain", "cut off", "END CERTIFICATE"]);
    let garbled = chain.replace('M', "!");
    let error = server(garbled.as_bytes(), key.as_bytes());
    assert_says(&error, &["certificate chain", "base64"]);

    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let error = server(chain.as_bytes(), encrypted.as_bytes());
    assert_says(&error, &["private key", "encrypted", "openssl"]);

    let roots = ChannelCredentials::tls().roots("none").build().unwrap_err();
    assert_says(&roots, &["root certificates", "BEGIN CERTIFICATE"]);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let second = authority.roots() + broken;
    let roots = ChannelCredentials::tls().roots(second).build().unwrap_err();
    assert_says(&roots, &["root certificates", "number 2"]);
    let clients = ServerCredentials::tls(chain, key).require_client_certificate("");
    assert_says(&clients.build().unwrap_err(), &["root certificates"]);
}

#[test]
fn a_key_is_never_printed() {
    let identity = Authority::new().issue(&["localhost"]);
    let secret = identity.key.lines().nth(1).unwrap();
    let server = ServerCredentials::tls(&identity.chain, &identity.key);
    let client = ChannelCredentials::tls()
        .roots(&identity.chain)
        .identity(&identity.chain, &identity.key);
    let printed = format!("{server:?}{client:?}");
    assert!(!printed.contains(secret), "{printed}");
    let printed = format!("{:?}{:?}", server.build().unwrap(), client.build().unwrap());
    assert!(!printed.contains(secret), "{printed}");

    let cut = &identity.key[..identity.key.len() - 30];
    let error = ServerCredentials::tls(&identity.chain, cut)
        .build()
        .unwrap_err();
    assert!(!format!("{error}{error:?}").contains(secret));
}
