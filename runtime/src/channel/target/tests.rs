//! Tests of `target.rs`.

use super::*;

fn dns(host: &str, port: u16) -> Place {
    Place::Dns {
        host: host.to_owned(),
        port,
    }
}

fn addresses(texts: &[&str]) -> Place {
    Place::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn unix(path: &str) -> Place {
    Place::One(Address::Unix(path.into()))
}

#[test]
fn every_form_of_target() {
    for (text, place) in [
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
        ("unix:/run/x.sock", unix("/run/x.sock")),
        ("unix:///run/x.sock", unix("/run/x.sock")),
        ("unix:x.sock", unix("x.sock")),
        (
            "unix-abstract:x",
            Place::One(Address::UnixAbstract(b"x".to_vec())),
        ),
        ("DNS:///example.com:80", dns("example.com", 80)),
        ("ipv4:///10.0.0.1:80", addresses(&["10.0.0.1:80"])),
        ("zoo://keeper/cats/small", Place::Other),
        (
            "passthrough:///vsock:3:80",
            Place::One(Address::Other("vsock:3:80".into())),
        ),
    ] {
        assert_eq!(
            Target::parse(text).map(|target| target.place),
            Ok(place),
            "{text}"
        );
    }
}

#[test]
fn a_zone_is_an_interface_of_this_machine_and_nobody_else_hears_of_it() {
    for text in [
        "ipv6:[fe80::1%7]:80",
        "ipv6:fe80::1%7,[fe80::2%8]:81",
        "[fe80::1%7]:80",
        "dns:///[fe80::1%7]:80",
    ] {
        let target = Target::parse(text).unwrap();
        let Place::Addresses(addresses) = target.place() else {
            panic!("{text}: {target:?}");
        };
        let numbers = addresses.iter().map(|address| match address {
            SocketAddr::V6(address) => address.scope_id(),
            SocketAddr::V4(_) => 0,
        });
        let numbers: Vec<_> = numbers.collect();
        assert_eq!(numbers[..], [7, 8][..addresses.len()], "{text}");
        let authority = target.default_authority();
        assert!(authority.starts_with("[fe80::1]:"), "{authority}");
        assert!(target.to_string().starts_with("[fe80::1%7]:"), "{target}");
    }
    for text in [
        "ipv6:[fe80::1%nowhere]:80",
        "[fe80::1%nowhere]:80",
        "ipv6:[fe80::1%7]:80,[fe80::2%nowhere]:80",
    ] {
        let error = Target::parse(text).expect_err(text).to_string();
        assert!(error.contains("not an interface"), "{error}");
    }
    assert!(Target::parse("ipv6:[fe80::1%]:80").is_err());
    assert!(Target::parse("ipv4:[fe80::1%7]:80").is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_may_be_a_name_and_its_percent_sign_that_of_a_uri() {
    let by_number = Target::parse("ipv6:[fe80::1%1]:80").unwrap();
    for text in ["ipv6:[fe80::1%lo]:80", "ipv6:[fe80::1%25lo]:80"] {
        assert_eq!(Target::parse(text).unwrap().place(), by_number.place());
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
        "passthrough:///",
        "passthrough://x/y",
    ] {
        let error = Target::parse(text).expect_err(text);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn the_authority_is_the_host_and_port() {
    assert_eq!(
        Target::parse("[::1]:5").unwrap().default_authority(),
        "[::1]:5"
    );
    assert_eq!(Target::parse("h:5").unwrap().default_authority(), "h:5");
    assert_eq!(
        Target::parse("unix:/x").unwrap().default_authority(),
        "localhost"
    );
    let own = Target::parse("passthrough:///vsock/3").unwrap();
    assert_eq!(own.default_authority(), "vsock%2F3");
    let several = Target::parse("ipv4:10.0.0.1:5,10.0.0.2:6").unwrap();
    assert_eq!(several.default_authority(), "10.0.0.1:5");
    assert_eq!(several.to_string(), "10.0.0.1:5,10.0.0.2:6");
}

#[test]
fn a_scheme_of_ones_own_has_an_authority_and_a_path() {
    let target = Target::parse("Zoo://keeper/cats/small ones").unwrap();
    assert_eq!(target.scheme(), "zoo");
    assert_eq!(target.authority(), "keeper");
    assert_eq!(target.path(), "cats/small ones");
    assert_eq!(target.default_authority(), "cats%2Fsmall%20ones");
    assert_eq!(target.to_string(), "zoo://keeper/cats/small ones");
    let target = Target::parse("file:///etc/servers").unwrap();
    assert_eq!((target.authority(), target.path()), ("", "etc/servers"));
    let target = Target::parse("localhost:50051").unwrap();
    assert_eq!((target.scheme(), target.path()), ("dns", "localhost:50051"));
}

#[test]
fn a_target_has_one_canonical_text() {
    let canonical = |text: &str| Target::parse(text).unwrap().canonical();
    for (text, expected) in [
        ("localhost:50051", "dns:///localhost:50051"),
        ("DNS:orders.example", "dns:///orders.example"),
        ("dns:///orders.example:1", "dns:///orders.example:1"),
        ("ipv4:1.2.3.4:5,1.2.3.4:6", "ipv4:1.2.3.4:5,1.2.3.4:6"),
        ("ipv6:[::1]:5", "ipv6:[::1]:5"),
        ("unix:/tmp/socket", "unix:/tmp/socket"),
        ("unix:///tmp/socket", "unix:/tmp/socket"),
        ("unix-abstract:name", "unix-abstract:name"),
        ("passthrough:///shop", "passthrough:///shop"),
        ("xds:///helloworld:8000", "xds:///helloworld:8000"),
    ] {
        assert_eq!(canonical(text), expected);
    }
}
