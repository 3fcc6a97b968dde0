//! Unit tests of `nearest`.

use super::nearest;

#[test]
fn near_and_far() {
    let known = ["client", "server", "extern_path", ".acme.v1.Message"];
    for (name, expected) in [
        ("cleint", Some("client")),
        ("Server", Some("server")),
        ("extern_paths", Some("extern_path")),
        ("externpath", Some("extern_path")),
        (".acme.v1.Mesage", Some(".acme.v1.Message")),
        ("no_such", None),
        ("", None),
    ] {
        assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
    }
}
