//! Unit tests of `suggestion`.

use super::for_undefined;

#[test]
fn what_may_be_meant() {
    let text = "message Order {} enum Color { RED = 0; }";
    for (name, expected) in [
        ("Ordre", Some("did you mean `Order`?")),
        ("color", Some("did you mean `Color`?")),
        ("sting", Some("did you mean `string`?")),
        ("String", Some("did you mean `string`?")),
        ("int", Some("did you mean `int32`?")),
        (
            "Timestamp",
            Some(
                "did you mean `google.protobuf.Timestamp`? It needs \
                 `import \"google/protobuf/timestamp.proto\";`",
            ),
        ),
        (
            "google.protobuf.Empty",
            Some("it needs `import \"google/protobuf/empty.proto\";`"),
        ),
        (
            "string",
            Some("a method takes and returns messages: put the string into one"),
        ),
        ("Nothing.Like.It", None),
    ] {
        for message in [
            format!("name '{name}' is not defined"),
            format!("\"{name}\" is not defined."),
        ] {
            assert_eq!(for_undefined(&message, text).as_deref(), expected);
        }
    }
    assert_eq!(for_undefined("expected ';'", text), None);
}
