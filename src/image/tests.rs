use super::{Host, ImageRef, check_name, guess_registry};

mod properties;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn valid_references_are_normalised() {
    let digest = format!("sha256:{HEX}");
    let with_digest = format!("app@{digest}");
    let with_both = format!("r.test/app:1@{digest}");
    let cases = [
        ("busybox", "docker.io", "library/busybox", Some("latest"), None),
        ("index.docker.io/a", "docker.io", "library/a", Some("latest"), None),
        ("docker.io/a/b:1", "docker.io", "a/b", Some("1"), None),
        ("a/b", "docker.io", "a/b", Some("latest"), None),
        ("Reg/b", "Reg", "b", Some("latest"), None),
        ("localhost/b", "localhost", "b", Some("latest"), None),
        ("reg.test:5000", "docker.io", "library/reg.test", Some("5000"), None),
        ("reg.test:5000/a", "reg.test:5000", "a", Some("latest"), None),
        ("[::1]:5000/a--b__c.d", "[::1]:5000", "a--b__c.d", Some("latest"), None),
        ("my_reg.test/a", "my_reg.test", "a", Some("latest"), None),
        (&with_digest, "docker.io", "library/app", None, Some(&digest)),
        (&with_both, "r.test", "app", Some("1"), Some(&digest)),
    ];
    for (text, registry, path, tag, expected_digest) in cases {
        let image = ImageRef::parse(text).unwrap();
        assert_eq!(image.registry().as_str(), registry, "{text}");
        assert_eq!(image.path(), path, "{text}");
        assert_eq!(image.repository(), format!("{registry}/{path}"));
        assert_eq!(image.tag(), tag, "{text}");
        assert_eq!(image.digest(), expected_digest.map(String::as_str), "{text}");
        assert_eq!(image.reference(), image.digest().or(tag).unwrap());
        assert_eq!(image.to_string(), text);
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
    }
}

#[test]
fn the_limits_are_those_of_the_grammar() {
    let valid = |text: String| ImageRef::parse(&text).is_ok();
    assert!(valid(format!("r.test/{}", "a".repeat(255))));
    assert!(!valid(format!("r.test/{}", "a".repeat(256))));
    assert!(valid("a".repeat(247)));
    assert!(!valid("a".repeat(248)));
    assert!(!valid(format!("my_r.test/{}", "a".repeat(246))));
    assert!(valid(format!("a:{}", "t".repeat(128))));
    assert!(!valid(format!("a:{}", "t".repeat(129))));
    assert!(!valid(HEX.to_owned()));
    assert!(valid(format!("{HEX}0")));
    assert!(valid(format!("a@sha512:{HEX}{HEX}")));
    assert!(!valid(format!("a@sha1:{HEX}")));
}

#[test]
fn errors_say_what_is_wrong_and_what_was_meant() {
    let short = format!("app@sha256:{}", &HEX[1..]);
    let bare = format!("app@{HEX}");
    let colon = format!("app:sha256:{HEX}");
    let fixed = format!("app@sha256:{HEX}");
    let upper = format!("app@sha256:{}", HEX.to_uppercase());
    let long = format!("r.test/{}", "a".repeat(300));
    let cases: [(&str, &str, Option<&str>); 34] = [
        ("", "is empty", None),
        ("https://r.test/app:1", "starts with https://", Some("r.test/app:1")),
        ("https://r.test:5000", "starts with https://", None),
        ("docker://app", "starts with docker://", Some("app")),
        ("\"app:1\"", "white space, quotes", Some("app:1")),
        (" app ", "white space, quotes", Some("app")),
        ("app 1", "white space, quotes", None),
        ("\u{200B}app", "unseen characters", Some("app")),
        ("r.test/{{ .Values.image }}:1", "{{ .Values.image }}", None),
        ("app:$(TAG)", "$(TAG)", None),
        ("app:${TAG}", "${TAG}", None),
        ("app:$TAG", "placeholder", None),
        ("r.test/<name>", "<name>", None),
        ("app:", "has an empty tag", Some("app")),
        ("app:@sha256", "has an empty tag", None),
        ("app:1:2", "more than one tag", Some("app:2")),
        ("r.test//app", "a slash too many", Some("r.test/app")),
        ("r.test/app/", "a slash too many", Some("r.test/app")),
        ("/app", "a slash too many", Some("app")),
        ("r.test/", "has no name", None),
        ("R.test/Team/App:V1", "capital letters in \"Team\"", Some("R.test/team/app:V1")),
        ("App", "capital letters", Some("app")),
        (HEX, "an image's id", None),
        (&short, "has a digest of 63 characters", None),
        (&bare, "has an @ that no digest", Some(&fixed)),
        (&colon, "more than one tag", Some(&fixed)),
        (&upper, "other characters than 0-9", Some(&fixed)),
        ("app@1.2", "has an @ that no digest", Some("app:1.2")),
        ("app:1+2", "\"1+2\" as its tag", None),
        ("my_r.test:5000/app", "which is no host", None),
        ("r.test/a b", "white space", None),
        ("r.test/a..b", "one separator", None),
        ("r.test/a*", "has * in \"a*\"", None),
        (&long, "more than 255", None),
    ];
    for (text, problem, suggestion) in cases {
        let error = ImageRef::parse(text).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert_eq!(error.suggestion(), suggestion, "{error}");
    }
    let error = ImageRef::parse("App").unwrap_err().to_string();
    assert_eq!(
        error,
        "image \"App\" has capital letters in \"App\", and a path has none; write app"
    );
}

#[test]
fn a_host_knows_its_parts() {
    let cases = [
        ("docker.io", "docker.io", None, "registry-1.docker.io"),
        ("reg.test:5000", "reg.test", Some(5000), "reg.test:5000"),
        ("[::1]", "[::1]", None, "[::1]"),
        ("[::1]:5000", "[::1]", Some(5000), "[::1]:5000"),
    ];
    for (text, name, port, endpoint) in cases {
        let host = Host::parse(text).unwrap();
        assert_eq!((host.name(), host.port()), (name, port));
        assert_eq!(host.endpoint(), endpoint);
    }
    let image = ImageRef::parse("Reg.TEST:99999/app").unwrap();
    assert_eq!(image.registry().port(), None);
    assert_eq!(image.registry().lowercase().as_str(), "reg.test:99999");
    let json = serde_json::to_string(image.registry()).unwrap();
    assert_eq!(&serde_json::from_str::<Host>(&json).unwrap(), image.registry());
}

#[test]
fn a_wrong_host_is_told_what_to_write() {
    let cases = [
        ("https://Reg.test/v2/", Some("reg.test")),
        ("reg.test/team", Some("reg.test")),
        ("Reg.test:5000", Some("reg.test:5000")),
        (" reg.test", Some("reg.test")),
        ("index.docker.io", Some("docker.io")),
        ("reg.test:70000", None),
        ("reg.test:", None),
        ("", None),
        ("*.test", None),
    ];
    for (text, suggestion) in cases {
        assert_eq!(Host::parse(text).unwrap_err().suggestion(), suggestion, "{text}");
    }
    let error = Host::parse("").unwrap_err().to_string();
    assert_eq!(error, "registry \"\" is empty; write a host such as registry.example.com");
}

#[test]
fn the_registry_of_an_invalid_reference_is_guessed() {
    let cases = [
        ("", "docker.io"),
        ("App", "docker.io"),
        ("Team/App", "docker.io"),
        ("https://Reg.test/App", "reg.test"),
        ("\"reg.test:5000/app", "reg.test:5000"),
        ("user@reg.test/App", "reg.test"),
        ("reg.test//app", "reg.test"),
        ("{{ .Values.registry }}/app", "docker.io"),
        ("reg.test/{{ .Values.image }}", "reg.test"),
        ("index.docker.io/App", "docker.io"),
        ("re g.test/app", "docker.io"),
    ];
    for (text, registry) in cases {
        assert_eq!(guess_registry(text).as_str(), registry, "{text}");
    }
}

#[test]
fn the_name_of_a_check_is_always_valid() {
    let name = |host: &str| check_name(&Host(host.to_owned()));
    assert_eq!(name("Reg.TEST"), "reg.test");
    assert_eq!(name("docker.io"), "docker.io");
    assert_eq!(name("reg.test:5000"), "reg.test-5000-aab42b4c");
    let long = format!("{}.test", "a".repeat(300));
    for host in ["[::1]", "my_reg.test", "[::]:1", &long, &"a".repeat(253), &"a-".repeat(200)] {
        let name = name(host);
        assert!(super::is_object_name(&name), "{name}");
    }
    assert_ne!(name("reg.test:5000"), name("reg.test-5000"));
}
