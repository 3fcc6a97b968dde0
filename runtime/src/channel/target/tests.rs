//! Tests of `target.rs`.

use super::*;

fn dns(host: &str, port: u16) -> Target {
    Target::Dns {
        host: host.to_owned(),
        port,
    }
}

fn addresses(texts: &[&str]) -> Target {
    Target::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn every_form_of_target() {
    for (text, target) in [
        ("localhost:50051", dns("localhost", 50051)),
        ("localhost", dns("localhost", 443)),
        ("127.0.0.1:1", dns("127.0.0.1", 1)),
        ("[::1]:50051", dns("::1", 50051)),
        ("::1", dns("::1", 443)),
        ("dns:example.com:80", dns("example.com", 80)),
        ("dns:///example.com:80", dns("example.com", 80)),
        ("ipv4:10.0.0.1:80", addresses(&["10.0.0.1:80"])),
        (
            "ipv4:10.0.0.1,10.0.0.2:80",
            addresses(&["10.0.0.1:443", "10.0.0.2:80"]),
        ),
        ("ipv6:[::1]:80", addresses(&["[::1]:80"])),
        (
            "ipv6:::1,[2001:db8::1],[::2]:80",
            addresses(&["[::1]:443", "[2001:db8::1]:443", "[::2]:80"]),
        ),
        ("unix:/run/x.sock", Target::Unix("/run/x.sock".into())),
        ("unix:///run/x.sock", Target::Unix("/run/x.sock".into())),
        ("unix:x.sock", Target::Unix("x.sock".into())),
    ] {
        assert_eq!(Target::parse(text), Ok(target), "{text}");
    }
}

#[test]
fn what_is_no_target_is_refused_with_a_reason() {
    for text in [
        "",
        ":80",
        "host:x",
        "host:99999",
        "http://host:80",
        "https://host:80",
        "unix:",
        "[::1",
        "dns://8.8.8.8/h:1",
        "a b:1",
        "ipv4:",
        "ipv4:1.2.3.4,",
        "ipv4:example.com:80",
        "ipv4:::1",
        "ipv6:1.2.3.4:80",
        "ipv6:[::1]:x",
        "1.2.3.4:1,5.6.7.8:1",
    ] {
        let error = Target::parse(text).expect_err(text);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn the_authority_is_the_host_and_port() {
    assert_eq!(Target::parse("[::1]:5").unwrap().authority(), "[::1]:5");
    assert_eq!(Target::parse("h:5").unwrap().authority(), "h:5");
    assert_eq!(Target::parse("unix:/x").unwrap().authority(), "localhost");
    let several = Target::parse("ipv4:10.0.0.1:5,10.0.0.2:6").unwrap();
    assert_eq!(several.authority(), "10.0.0.1:5");
    assert_eq!(several.to_string(), "10.0.0.1:5,10.0.0.2:6");
}
