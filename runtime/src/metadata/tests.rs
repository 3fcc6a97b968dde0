//! Metadata as applications use it, and as it goes over the wire.

use proptest::prelude::*;

use super::{Head, Metadata, MetadataValue, is_reserved};

fn wire(metadata: &Metadata) -> Vec<(String, Vec<u8>)> {
    let mut fields = Vec::new();
    metadata.for_each_wire(|name, value| {
        fields.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
    });
    fields
}

fn received(fields: &[(&str, &[u8])]) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in fields {
        metadata.append_wire(name.as_bytes(), value).unwrap();
    }
    metadata
}

fn texts(metadata: &Metadata, key: &str) -> Vec<String> {
    let values = metadata.get_all(key);
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn empty_metadata_allocates_nothing() {
    let metadata = Metadata::new();
    assert!(metadata.is_empty());
    assert_eq!(metadata.clone().arena.capacity(), 0);
    assert_eq!(metadata.size(), 0);
}

#[test]
fn keys_are_lowered_and_looked_up_in_any_case() {
    let mut metadata = Metadata::new();
    metadata.append("X-Id", "7").unwrap();
    assert_eq!(
        metadata.iter().next(),
        Some(("x-id", MetadataValue::Text("7")))
    );
    assert_eq!(metadata.get("x-ID"), Some("7"));
    assert!(metadata.contains_key("X-id"));
    assert!(!metadata.contains_key("x-i"));
}

#[test]
fn values_of_one_key_keep_their_order() {
    let mut metadata = Metadata::from_pairs([("a", "1"), ("b", "2"), ("a", "3")]).unwrap();
    assert_eq!(texts(&metadata, "a"), ["1", "3"]);
    assert_eq!(metadata.get("a"), Some("1"));
    metadata.insert("A", "4").unwrap();
    assert_eq!(texts(&metadata, "a"), ["4"]);
    assert_eq!(
        metadata,
        Metadata::from_pairs([("b", "2"), ("a", "4")]).unwrap()
    );
}

#[test]
fn removing_leaves_the_rest_in_place() {
    let mut metadata =
        Metadata::from_pairs([("a", "1"), ("b", "22"), ("a", "3"), ("c", "")]).unwrap();
    assert!(metadata.remove("a"));
    assert!(!metadata.remove("a"));
    assert_eq!(
        metadata,
        Metadata::from_pairs([("b", "22"), ("c", "")]).unwrap()
    );
    assert_eq!(metadata.arena.len(), 2 * Head::LEN + 4);
}

#[test]
fn bytes_and_text_have_their_own_keys() {
    let mut metadata = Metadata::new();
    metadata.append_bin("a-BIN", [0, 0xff]).unwrap();
    metadata.insert_bin("a-bin", b"xyz").unwrap();
    assert_eq!(metadata.get_bin("a-bin"), Some(b"xyz".as_slice()));
    assert_eq!(metadata.get("a-bin"), None);
    assert_eq!(metadata.len(), 1);
    let text = metadata.append("a-bin", "x").unwrap_err();
    assert!(text.to_string().contains("append_bin"), "{text}");
    let bytes = metadata.append_bin("a", "x").unwrap_err();
    assert!(bytes.to_string().contains("-bin"), "{bytes}");
}

#[test]
fn keys_that_are_not_the_applications_are_refused() {
    for key in [
        "grpc-status",
        "Grpc-Timeout",
        "grpc-x-bin",
        ":path",
        "te",
        "TE",
        "content-type",
        "content-length",
        "host",
        "user-agent",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ] {
        let mut metadata = Metadata::new();
        let added = if key.ends_with("-bin") {
            metadata.append_bin(key, "x")
        } else {
            metadata.append(key, "x")
        };
        let error = added.unwrap_err();
        assert!(error.to_string().contains("reserved"), "{error}");
        assert_eq!(error.key(), key);
        assert_eq!(metadata, Metadata::new());
    }
}

#[test]
fn malformed_keys_and_values_are_refused_and_change_nothing() {
    let mut metadata = Metadata::from_pairs([("a", "1")]).unwrap();
    let before = metadata.clone();
    for key in ["", " ", "a b", "é", "a:b", "a!", "a\n"] {
        let error = metadata.append(key, "x").unwrap_err();
        assert!(error.to_string().contains("malformed"), "{error}");
    }
    for value in ["é", "a\nb", "a\tb", "\0", "\x7f"] {
        let error = metadata.insert("a", value).unwrap_err();
        assert!(error.to_string().contains("printable ASCII"), "{error}");
        assert!(!error.to_string().contains(value));
    }
    assert_eq!(metadata, before);
}

#[test]
fn spaces_at_the_ends_are_dropped() {
    let metadata = Metadata::from_pairs([("a", "  x y ")]).unwrap();
    assert_eq!(metadata.get("a"), Some("x y"));
}

#[test]
fn received_text_is_kept_whatever_it_is() {
    let fields: [(&str, &[u8]); 4] = [
        ("x", b"plain"),
        ("utf8", "é".as_bytes()),
        ("latin", b"\xe9"),
        ("odd!name", b"tab\t"),
    ];
    let metadata = received(&fields);
    assert_eq!(metadata.get("utf8"), Some("é"));
    assert_eq!(metadata.get("latin"), None);
    assert_eq!(metadata.get_bin("latin"), Some(b"\xe9".as_slice()));
    assert_eq!(metadata.get("odd!name"), Some("tab\t"));

    let mut echo = Metadata::new();
    for (name, _) in fields {
        echo.append_from(&metadata, name);
    }
    assert_eq!(echo, metadata);
    let sent = wire(&echo);
    for ((name, value), (sent_name, sent_value)) in fields.iter().zip(&sent) {
        assert_eq!((*name, *value), (sent_name.as_str(), sent_value.as_slice()));
    }
    let mut all = Metadata::new();
    all.extend(&metadata);
    assert_eq!(all, metadata);
}

#[test]
fn base64_is_read_padded_or_not_and_joined_or_not() {
    for value in ["q6ur", "q6urqw", "q6urqw==", "q6urqw=", ""] {
        let metadata = received(&[("a-bin", value.as_bytes())]);
        let bytes = metadata.get_bin("a-bin").unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0xab), "{value}");
        assert_eq!(metadata.len(), 1);
    }
    let joined = received(&[("a-bin", b"AA,AQ==, Ag")]);
    let repeated = received(&[("a-bin", b"AA"), ("a-bin", b"AQ"), ("a-bin", b"Ag")]);
    assert_eq!(joined, repeated);
    assert_eq!(wire(&joined)[1], ("a-bin".to_owned(), b"AQ".to_vec()));
}

#[test]
fn what_is_not_base64_is_refused_and_changes_nothing() {
    let mut metadata = received(&[("a-bin", b"AA")]);
    let before = metadata.clone();
    for value in ["!", "A", "AA,!", "AAAA====", "A A", "_-8"] {
        let error = metadata
            .append_wire(b"b-bin", value.as_bytes())
            .unwrap_err();
        assert!(error.to_string().contains("base64"), "{value}: {error}");
        assert_eq!(metadata, before);
    }
    assert!(metadata.append_wire(b"", b"").is_err());
    assert!(metadata.append_wire(b"\xff", b"").is_err());
}

#[test]
fn a_peers_reserved_fields_are_seen_and_not_passed_on() {
    let metadata = received(&[("user-agent", b"grpc-x/1"), ("a", b"1")]);
    assert_eq!(metadata.get("user-agent"), Some("grpc-x/1"));
    assert_eq!(wire(&metadata), [("a".to_owned(), b"1".to_vec())]);
    assert_eq!(metadata.size(), 34);
}

#[test]
fn credentials_are_not_printed() {
    let metadata = Metadata::from_pairs([("authorization", "Bearer s3cret"), ("a", "1")]).unwrap();
    let printed = format!("{metadata:?}");
    assert!(!printed.contains("s3cret"), "{printed}");
    assert!(printed.contains(r#""a": "1""#), "{printed}");
}

#[test]
fn only_whole_names_are_reserved() {
    for name in [
        "tex",
        "hosts",
        "x-grpc-test",
        "grpc",
        "content-types",
        "grpc-trace-bin",
    ] {
        assert!(!is_reserved(name.as_bytes()), "{name}");
    }
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_received(
        entries in prop::collection::vec(("[a-z0-9_.]{1,9}", prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..9),
    ) {
        let mut metadata = Metadata::new();
        for (key, bytes, binary) in &entries {
            if *binary {
                metadata.append_bin(&format!("{key}-bin"), bytes).unwrap();
            } else if !is_reserved(key.as_bytes()) {
                let text: String = bytes.iter().map(|byte| char::from(b' ' + byte % 95)).collect();
                metadata.append(key, &text).unwrap();
            }
        }
        let mut read = Metadata::new();
        let mut size = 0;
        metadata.for_each_wire(|name, value| {
            read.append_wire(name, value).unwrap();
            size += name.len() + value.len() + 32;
        });
        prop_assert_eq!(metadata.size(), size);
        prop_assert_eq!(read, metadata);
    }

    #[test]
    fn any_received_value_is_kept_or_refused(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut metadata = Metadata::new();
        metadata.append_wire(b"a", &value).unwrap();
        let _ = metadata.append_wire(b"a-bin", &value);
        prop_assert_eq!(metadata.get_bin("a"), Some(value.as_slice()));
        prop_assert_eq!(metadata.iter().count(), metadata.len());
    }
}
