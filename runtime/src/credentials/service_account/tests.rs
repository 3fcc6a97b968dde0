//! What a service account signs, verified with its public key, and what is said of key
//! files that are wrong.

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use serde_json::{Value, json};

use super::{BASE64, CallCredentials, Engine, ServiceAccount, pem};

/// Ring makes no RSA keys, so it is the one that tests of TLS have.
const KEY: &str = include_str!("../../../tests/end_to_end/tls/rsa.key");
const AUDIENCE: &str = "https://pubsub.googleapis.com/google.pubsub.v1.Publisher";

fn file() -> Value {
    json!({
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "key-7",
        "private_key": KEY,
        "client_email": "robot@a-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
}

/// The key as certificates have it, without the algorithm's name: DER of a sequence
/// of a sequence and a bit string without spare bits.
fn public_key(key: &dyn SigningKey) -> Vec<u8> {
    let spki = key.public_key().unwrap();
    let sequence = spki.as_ref();
    let algorithm = 4 + 2 + usize::from(sequence[5]);
    let bits = &sequence[algorithm..];
    assert_eq!((bits[0], bits[1], bits[4]), (3, 0x82, 0));
    bits[5..].to_vec()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

#[test]
fn a_token_has_googles_claims_and_the_keys_signature() {
    let account = ServiceAccount::read(&file().to_string()).unwrap();
    let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
    let token = account.sign(AUDIENCE, now).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("{token}");
    };
    assert_eq!(
        decoded(header),
        json!({"alg": "RS256", "typ": "JWT", "kid": "key-7"})
    );
    let email = "robot@a-project.iam.gserviceaccount.com";
    let expected = json!({
        "iss": email, "sub": email, "aud": AUDIENCE,
        "iat": 1_700_000_000, "exp": 1_700_003_600,
    });
    assert_eq!(decoded(claims), expected);

    let der = pem::private_key(KEY.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&der).unwrap();
    let public = public_key(&*key);
    let provider = pem::provider();
    let mapping = provider.signature_verification_algorithms.mapping;
    let (_, algorithms) = mapping
        .iter()
        .find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256)
        .unwrap();
    let signed = &token[..token.len() - signature.len() - 1];
    let signature = BASE64.decode(signature).unwrap();
    let verify = |message: &str| {
        let verified = algorithms[0].verify_signature(&public, message.as_bytes(), &signature);
        verified.is_ok()
    };
    assert!(verify(signed));
    assert!(!verify(&signed.to_lowercase()));
}

#[test]
fn an_error_names_the_field_and_shows_no_key() {
    let without = |name: &str| {
        let mut file = file();
        file.as_object_mut().unwrap().remove(name);
        file.to_string()
    };
    let with = |name: &str, value: Value| {
        let mut file = file();
        file[name] = value;
        file.to_string()
    };
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let cut = KEY.replace("-----END", "");
    for (text, part) in [
        (without("type"), "no field \"type\""),
        (without("client_email"), "no field \"client_email\""),
        (without("private_key_id"), "no field \"private_key_id\""),
        (without("private_key"), "no field \"private_key\""),
        (
            with("client_email", json!(7)),
            "\"client_email\" is no text",
        ),
        (
            with("client_email", json!("")),
            "\"client_email\" is no text",
        ),
        (
            with("type", json!("authorized_user")),
            "is 'authorized_user'",
        ),
        (
            with("private_key", json!(elliptic)),
            "\"private_key\" is no RSA key",
        ),
        (
            with("private_key", json!(cut)),
            "\"private_key\": private key:",
        ),
        (
            with("private_key", json!("MIIE")),
            "\"private_key\": private key:",
        ),
        ("account.json".to_owned(), "it is not JSON"),
        ("[]".to_owned(), "no field \"type\""),
    ] {
        let error = CallCredentials::service_account(&text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.starts_with("service account key: "), "{shown}");
        assert!(shown.contains(part), "{shown}");
        let secret = KEY.lines().nth(2).unwrap();
        assert!(
            !shown.contains(secret) && !shown.contains("MIIE"),
            "{shown}"
        );
    }
    let error = CallCredentials::service_account("{").unwrap_err();
    assert!(error.source().unwrap().is::<serde_json::Error>());
    let account = ServiceAccount::read(&file().to_string()).unwrap();
    assert!(!format!("{account:?}").contains("PRIVATE"));
}
