//! Tests of `proxy.rs`.

use tokio::net::TcpListener;

use super::*;

#[test]
fn a_url_names_the_proxy_and_who_we_are_to_it() {
    let parsed = |url| {
        let proxy = Proxy::parse(url).unwrap();
        (proxy.to_string(), proxy.authorization)
    };
    let plain = |text: &str| (text.to_owned(), None);
    assert_eq!(parsed("http://proxy:3128"), plain("proxy:3128"));
    assert_eq!(parsed("http://proxy:3128/"), plain("proxy:3128"));
    assert_eq!(parsed("proxy"), plain("proxy:80"));
    assert_eq!(parsed("http://[::1]:3128"), plain("[::1]:3128"));
    assert_eq!(parsed("http://[::1]"), plain("[::1]:80"));
    let (place, authorization) = parsed("http://ann:s%40cret@proxy:3128");
    assert_eq!(place, "proxy:3128");
    let expected = format!("Basic {}", STANDARD.encode("ann:s@cret"));
    assert_eq!(authorization, Some(expected));
    for bad in [
        "",
        "http://",
        "socks5://proxy",
        "http://proxy:x",
        "http://:1",
    ] {
        Proxy::parse(bad).expect_err(bad);
    }
    let error = Proxy::parse("https://ann:secret@proxy").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn the_environment_names_a_proxy_but_not_for_all() {
    let proxy = |host: &str, variables: &[(&str, &str)]| {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        let proxy = Proxy::of_environment(host, variable).unwrap();
        proxy.map(|proxy| proxy.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(proxy("shop", &[]), None);
    assert_eq!(proxy("shop", &[("https_proxy", "a:1")]), some("a:1"));
    let both = [("https_proxy", "a:1"), ("grpc_proxy", "b:2")];
    assert_eq!(proxy("shop", &both), some("b:2"));
    assert_eq!(proxy("shop", &[("https_proxy", "")]), None);
    // CGI sets this variable from a request's header.
    assert_eq!(proxy("shop", &[("HTTP_PROXY", "a:1")]), None);
    for (host, except, is_covered) in [
        ("shop.test", "shop.test", true),
        ("a.shop.test", "shop.test", true),
        ("a.SHOP.test", ".shop.Test", true),
        ("a.shop.test", "x, *.shop.test", true),
        ("myshop.test", "shop.test", false),
        ("shop.test", "*", true),
        ("shop.test", "", false),
        ("10.1.2.3", "10.0.0.0/8", true),
        ("11.1.2.3", "10.0.0.0/8", false),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "0.0.0.0/0", true),
        ("10.1.2.3", "10.0.0.0/x", false),
        ("fd00::1", "fd00::/8", true),
        ("::1", "127.0.0.1", false),
    ] {
        let variables = [("https_proxy", "a:1"), ("no_proxy", except)];
        assert_eq!(
            proxy(host, &variables).is_none(),
            is_covered,
            "{host} {except}"
        );
    }
}

/// A proxy that answers with `head` in these pieces, and the request it got.
async fn answers(pieces: &'static [&'static str]) -> (io::Result<Vec<u8>>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://ann:pw@{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut asked).await.unwrap();
        }
        let _ = stream.set_nodelay(true);
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    let tunnel = Proxy::parse(&proxy).unwrap().connect("shop.test:443").await;
    let rest = match tunnel {
        Ok(mut tunnel) => {
            let mut rest = Vec::new();
            tunnel.read_to_end(&mut rest).await.map(|_| rest)
        }
        Err(error) => Err(error),
    };
    (rest, serving.await.unwrap())
}

#[tokio::test]
async fn what_follows_the_answer_is_the_servers() {
    let (rest, asked) = answers(&["HTTP/1.1 200 Fine\r\nVia: x\r\n\r\nhello"]).await;
    assert_eq!(rest.unwrap(), b"hello");
    let expected = format!(
        "CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\nProxy-Authorization: Basic {}\r\n\r\n",
        STANDARD.encode("ann:pw")
    );
    assert_eq!(asked, expected);
    let pieces = &["HTTP/1.0 200 Fine\r", "\n\r", "\nhel", "lo"];
    assert_eq!(answers(pieces).await.0.unwrap(), b"hello");
}

#[tokio::test]
async fn a_proxy_that_refuses_or_says_nothing_is_told_with_its_words() {
    for (pieces, words) in [
        (&["HTTP/1.1 407 Who are you\r\n\r\n"][..], "407 Who are you"),
        (&["SSH-2.0-x\r\n\r\n"][..], "SSH-2.0-x"),
        (&["HTTP/1.1 200 Fine\r\n"][..], "before it answered"),
        (&[][..], "before it answered"),
    ] {
        let error = answers(pieces).await.0.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains("through the proxy 127.0.0.1:"),
            "{text}"
        );
        assert!(!text.contains("pw"), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_host_and_port_is_never_sent() {
    let proxy = Proxy::parse("http://127.0.0.1:1").unwrap();
    for target in ["a b:1", "a:1\r\nX-Evil: 1", "\u{e9}:1"] {
        let error = proxy.connect(target).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
