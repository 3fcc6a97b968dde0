//! Certificates and keys that cannot be used: told at once, by name, with what
//! to do.

use super::certificates::Authority;
use crate::support::Echo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grpc_runtime::rustls::pki_types::PrivatePkcs8KeyDer;
use grpc_runtime::rustls::pki_types::pem::PemObject;
use grpc_runtime::{ChannelCredentials, CredentialsError, ServerCredentials};
use rcgen::KeyPair;

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn pkcs8_of(pem: &str) -> Vec<u8> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    key.secret_pkcs8_der().to_vec()
}

/// What PKCS #8 wraps: a version, an algorithm, and the key in its older form.
fn inside(pkcs8: &[u8]) -> Vec<u8> {
    /// The content of the first value, and what is behind it.
    fn value(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, rest) = match der[1] {
            0x81 => (der[2].into(), &der[3..]),
            0x82 => (u16::from_be_bytes([der[2], der[3]]).into(), &der[4..]),
            short => (short.into(), &der[2..]),
        };
        rest.split_at(length)
    }
    let (content, _) = value(pkcs8);
    let (_version, rest) = value(content);
    let (_algorithm, rest) = value(rest);
    value(rest).0.to_vec()
}

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
    // Chain and key in each other's place.
    let error = server(key.as_bytes(), chain.as_bytes());
    assert_says(&error, &["certificate chain", "BEGIN CERTIFICATE"]);
    assert_says(&error, &["has 'PRIVATE KEY' instead"]);
    let error = server(b"server.pem", key.as_bytes());
    assert_says(&error, &["certificate chain", "looks like a file's name"]);
    let error = server(&identity.der, key.as_bytes());
    assert_says(&error, &["certificate chain", "looks like DER", "PEM"]);
    let error = server(chain.as_bytes(), chain.as_bytes());
    assert_says(&error, &["private key", "BEGIN PRIVATE KEY"]);
    assert_says(&error, &["has 'CERTIFICATE' instead"]);
    let error = server(chain.as_bytes(), b"");
    assert_says(&error, &["private key", "it is empty"]);
    let error = server(chain.as_bytes(), other.key.as_bytes());
    assert_says(&error, &["chain and private key", "not that of the first"]);
    let error = server(&chain.as_bytes()[..100], key.as_bytes());
    assert_says(&error, &["certificate chain", "cut off", "END CERTIFICATE"]);
    let garbled = chain.replace('M', "!");
    let error = server(garbled.as_bytes(), key.as_bytes());
    assert_says(&error, &["certificate chain", "base64"]);

    let no_certificate = pem("CERTIFICATE", b"0");
    let error = server(no_certificate.as_bytes(), key.as_bytes());
    assert_says(&error, &["certificate chain", "no X.509 certificate"]);
    let no_key = pem("PRIVATE KEY", b"0");
    let error = server(chain.as_bytes(), no_key.as_bytes());
    assert_says(&error, &["private key"]);

    let client = |chain: &str, key: &str| {
        let tls = ChannelCredentials::tls().roots(authority.roots());
        tls.identity(chain, key).build().unwrap_err()
    };
    let error = client(chain, &other.key);
    assert_says(&error, &["chain and private key", "not that of the first"]);
    assert_says(&client(chain, ""), &["private key", "it is empty"]);

    let roots = ChannelCredentials::tls().roots("none").build().unwrap_err();
    assert_says(&roots, &["root certificates", "BEGIN CERTIFICATE"]);
    let second = authority.roots() + &no_certificate;
    let roots = ChannelCredentials::tls().roots(second).build().unwrap_err();
    assert_says(&roots, &["root certificates", "number 2"]);
    let clients = ServerCredentials::tls(chain, key).require_client_certificate("");
    let error = clients.build().unwrap_err();
    assert_says(&error, &["root certificates for clients", "it is empty"]);
}

#[test]
fn an_encrypted_key_is_told_in_every_form() {
    let identity = Authority::new().issue(&["localhost"]);
    let der = pkcs8_of(&identity.key);
    let old = pem("EC PRIVATE KEY", &der).replacen(
        '\n',
        "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
        1,
    );
    let new = pem("ENCRYPTED PRIVATE KEY", &der);
    let one_of_two = format!("{new}{}", identity.key);
    let credentials = ServerCredentials::tls(&identity.chain, one_of_two);
    assert!(credentials.build().is_ok());
    for key in [new, old] {
        let error = ServerCredentials::tls(&identity.chain, key).build();
        let error = error.unwrap_err();
        assert_says(&error, &["private key", "it is encrypted", "openssl"]);
    }
}

/// RSA's key was made for this test alone; nothing trusts it.
#[tokio::test]
async fn keys_come_in_every_form_that_tools_write() {
    let authority = Authority::new();
    let ec = KeyPair::generate().unwrap();
    let rsa = include_str!("rsa.key");
    let rsa = KeyPair::from_pkcs8_pem_and_sign_algo(rsa, &rcgen::PKCS_RSA_SHA256).unwrap();
    for (key, label) in [(ec, "EC PRIVATE KEY"), (rsa, "RSA PRIVATE KEY")] {
        let identity = authority.issue_to(&key, &["localhost", "127.0.0.1"]);
        let older = pem(label, &inside(&pkcs8_of(&identity.key)));
        // As `openssl ecparam -genkey` begins a file.
        let parameters = pem("EC PARAMETERS", b"curve") + &older;
        let windows = identity.key.replace('\n', "\r\n");
        let one_file = format!("{}{}", identity.key, identity.chain);
        for key in [&identity.key, &older, &parameters, &windows, &one_file] {
            let server = ServerCredentials::tls(&identity.chain, key);
            let server = super::who(server.build().unwrap()).await;
            let client = authority.client().build().unwrap();
            let reply = super::stub(&server, client).unary(Echo::text("hi")).await;
            reply.unwrap();
        }
        let both = ServerCredentials::tls(&one_file, &one_file);
        both.build().unwrap();
    }
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

    // As it comes out of an environment that keeps no line breaks.
    let joined = identity.key.replace('\n', "");
    let escaped = identity.key.replace('\n', "\\n");
    for key in [&joined, &escaped, &format!("{joined}\n{joined}")] {
        let error = ServerCredentials::tls(&identity.chain, key).build();
        let error = error.unwrap_err();
        assert_says(&error, &["private key", "line breaks"]);
        assert!(!format!("{error}{error:?}").contains(secret));
        let error = ServerCredentials::tls(key, key).build().unwrap_err();
        assert!(!format!("{error}{error:?}").contains(secret));
    }
}
