use super::{DEPTH_MAX, Fault, Value, check, names_field, read, text};

#[test]
fn the_syntax_is_that_of_go() {
    let good =
        ["{}", " [ ] ", "-0.5e+7", "\"\\ud800\"", "null\n", "[1,{\"a\":[]},\"\"]", "[1e999]"];
    for document in good {
        assert_eq!(check(document.as_bytes()), Ok(()), "{document}");
    }
    let bad = [
        ("", Fault::Ends),
        (" ", Fault::Ends),
        ("{", Fault::Ends),
        ("\"a", Fault::Ends),
        ("nul", Fault::Cut),
        ("-", Fault::Cut),
        ("\"\\u12", Fault::Cut),
        ("{\"a\":1", Fault::Ends),
        ("01", Fault::Trailing(1)),
        ("{} x", Fault::Trailing(3)),
        ("\u{feff}{}", Fault::Unexpected(0)),
        ("[1,]", Fault::Unexpected(3)),
        ("{\"a\":1,}", Fault::Unexpected(7)),
        ("{,}", Fault::Unexpected(1)),
        ("{'a':1}", Fault::Unexpected(1)),
        ("\"\t\"", Fault::Unexpected(1)),
        ("\"\\'\"", Fault::Unexpected(2)),
        ("\"\\u12g4\"", Fault::Unexpected(5)),
        ("[1 2]", Fault::Unexpected(3)),
        ("1.e1", Fault::Unexpected(2)),
        ("[1}", Fault::Unexpected(2)),
    ];
    for (document, fault) in bad {
        assert_eq!(check(document.as_bytes()), Err(fault), "{document}");
    }
}

#[test]
fn ten_thousand_levels_are_allowed_and_no_more() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
    let too_deep = check(nested(DEPTH_MAX + 1).as_bytes());
    assert_eq!(too_deep, Err(Fault::TooDeep(DEPTH_MAX)));
    assert_eq!(check("[".repeat(1 << 22).as_bytes()), Err(Fault::TooDeep(DEPTH_MAX)));
}

#[test]
fn strings_are_repaired_byte_by_byte() {
    let cases: [(&[u8], &str); 7] = [
        (br#""a\"\\\/\b\f\n\r\tA""#, "a\"\\/\u{8}\u{c}\n\r\tA"),
        (br#""\ud83d\ude00""#, "\u{1f600}"),
        (br#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
        (br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (br#""\ud83d\u0041""#, "\u{fffd}A"),
        (b"\"\xe2\x82\"", "\u{fffd}\u{fffd}"),
        (b"\"\xed\xa0\x80\xff\"", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
    ];
    for (literal, expected) in cases {
        assert_eq!(check(literal), Ok(()));
        let Value::Text(read) = read(literal) else { panic!("no string") };
        assert_eq!(read, expected);
    }
    assert_eq!(text("ä€".as_bytes()), "ä€");
}

#[test]
fn an_object_is_opened_by_one_level() {
    let document = br#" { "a" : {"b":[1,"}"]} , "a":null,"" :-1e5 , "s":"\"," } "#;
    assert_eq!(check(document), Ok(()));
    let Value::Object(members) = read(document) else { panic!("no object") };
    let shown: Vec<(&str, &str)> = members
        .iter()
        .map(|(name, raw)| (name.as_str(), std::str::from_utf8(raw).unwrap()))
        .collect();
    let expected = [("a", r#"{"b":[1,"}"]}"#), ("a", "null"), ("", "-1e5"), ("s", r#""\",""#)];
    assert_eq!(shown, expected);
}

#[test]
fn field_names_fold_as_unicode_has_it() {
    let cases = [("AUTHS", true), ("authſ", true), ("auth", false), ("auths ", false)];
    for (name, same) in cases {
        assert_eq!(names_field(name, "auths"), same, "{name}");
    }
    assert!(names_field("httpheaders", "HttpHeaders"));
}
