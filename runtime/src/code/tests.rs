//! The codes' numbers, names and wire forms.

use super::Code;

#[test]
fn numbers_and_wire_forms_read_back() {
    for number in 0..17 {
        let code = Code::from_i32(number);
        assert_eq!(code.as_i32(), number);
        assert_eq!(code.as_wire(), number.to_string());
        assert_eq!(Code::from_wire(code.as_wire().as_bytes()), code);
        assert!(!code.description().is_empty());
    }
}

#[test]
fn what_is_no_code_is_unknown() {
    for number in [-1, 17, 99, i32::MIN, i32::MAX] {
        assert_eq!(Code::from_i32(number), Code::Unknown);
    }
    for value in ["", "17", "99", "00", "05", "-1", "+1", "1 ", "OK", "1\0"] {
        assert_eq!(
            Code::from_wire(value.as_bytes()),
            Code::Unknown,
            "{value:?}"
        );
    }
}

#[test]
fn the_name_can_be_padded() {
    assert_eq!(format!("{:<6}|", Code::Ok), "OK    |");
}

#[test]
fn http_statuses_follow_the_published_map() {
    for (status, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (431, Code::Internal),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (200, Code::Unknown),
        (204, Code::Unknown),
        (302, Code::Unknown),
        (408, Code::Unknown),
        (500, Code::Unknown),
        (0, Code::Unknown),
    ] {
        assert_eq!(Code::from_http_status(status), code, "{status}");
    }
}
