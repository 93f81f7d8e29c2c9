use super::*;
use crate::image::ImageRef;

fn remedy_of(image: &str, code: Code, secret: Option<&str>) -> String {
    let image = ImageRef::parse(image).unwrap();
    let subject = Subject { namespace: "shop", image: &image, complaint: None };
    subject.remedy(code, secret)
}

#[test]
fn names_stand_in_place_of_placeholders() {
    assert_eq!(
        remedy_of("r.test/shop/api:v1", Code::PullSecretMissing, Some("pull")),
        "Create it, or correct its name in the pod's imagePullSecrets: kubectl create secret docker-registry pull -n shop --docker-server=r.test --docker-username=USER --docker-password=PASSWORD"
    );
    assert_eq!(
        remedy_of("r.test/shop/api:v1", Code::TagNotFound, None),
        "Correct the tag or digest in the image's name, or push the image: docker push r.test/shop/api:v1"
    );
    let hub = remedy_of("nginx", Code::PullSecretMissing, None);
    assert!(hub.contains(" regcred -n shop --docker-server=https://index.docker.io/v1/ "), "{hub}");
}

#[test]
fn a_registry_of_azure_has_another_way() {
    let azure = remedy_of("myreg.azurecr.io/api:v1", Code::NoCredentials, None);
    assert!(
        azure.starts_with(
            "Attach the registry to the cluster, if both are of one tenant: az aks update -g GROUP -n CLUSTER --attach-acr myreg. Or create a pull secret "
        ),
        "{azure}"
    );
    let other = remedy_of("r.test/api:v1", Code::NoCredentials, None);
    assert!(other.starts_with("Create a pull secret "), "{other}");
}

#[test]
fn a_host_on_the_way_is_named_with_its_port() {
    let image = ImageRef::parse("r.test/shop/api:v1").unwrap();
    let subject = Subject { namespace: "shop", image: &image, complaint: None };
    for (host, written) in [
        ("auth.test", "-connect auth.test:443"),
        ("auth.test:8443", "-connect auth.test:8443"),
        ("[::1]", "-connect '[::1]:443'"),
        ("[::1]:5000", "-connect '[::1]:5000'"),
    ] {
        let remedy = subject.remedy_at(Code::TlsHandshakeFailed, host);
        assert!(remedy.ends_with(written), "{remedy}");
    }
}

/// Whoever may write a pod writes the names of its pull secrets, and the API server takes
/// any text for one.
#[test]
fn a_name_cannot_become_a_command() {
    for (secret, written) in [
        ("my secret", " 'my secret' "),
        ("x; reboot", " 'x; reboot' "),
        ("$(reboot)", " '$(reboot)' "),
        ("it's", r" 'it'\''s' "),
        ("--all", " '--all' "),
        ("a\nb", " 'a?b' "),
        ("", " '' "),
        ("IMAGE", " IMAGE "),
    ] {
        let remedy = remedy_of("r.test/shop/api:v1", Code::PullSecretMissing, Some(secret));
        assert!(remedy.contains(written), "{remedy}");
    }
}

#[test]
fn words_and_commands_are_told_apart() {
    assert_eq!(
        parts("Make room. To see what is full: df -h. To clean up: crictl rmi --prune"),
        [
            Part::Words("Make room."),
            Part::Words("To see what is full:"),
            Part::Command("df -h"),
            Part::Words("To clean up:"),
            Part::Command("crictl rmi --prune"),
        ]
    );
    assert_eq!(
        parts("Write the image as r.test/api:v1: in lower case."),
        [Part::Words("Write the image as r.test/api:v1: in lower case.")]
    );
}

/// The remedies of a row as they are written: its own, and the one for Azure.
fn remedies(code: Code) -> impl Iterator<Item = &'static str> {
    let row = code.row();
    [Some(row.remedy), row.azure].into_iter().flatten()
}

#[test]
fn every_command_is_one_that_a_shell_can_read() {
    let mut n_commands = 0;
    for code in Code::ALL {
        for command in remedies(*code).flat_map(parts).filter_map(command_of) {
            n_commands += 1;
            let quotes = |quote| command.matches(quote).count();
            assert!(quotes('\'') % 2 == 0 && quotes('"') % 2 == 0, "{code}: {command}");
            assert_eq!(quotes('('), quotes(')'), "{code}: {command}");
            assert!(!command.contains(['`', '…', '\n']), "{code}: {command}");
            assert!(command.is_ascii() && !command.contains("  "), "{code}: {command}");
        }
    }
    assert!(n_commands > 60, "{n_commands}");
}

fn command_of(part: Part<'static>) -> Option<&'static str> {
    match part {
        Part::Words(_) => None,
        Part::Command(command) => Some(command),
    }
}

/// A program whose command is not told apart from the words would be printed among them.
#[test]
fn no_command_hides_among_words() {
    for code in Code::ALL {
        for part in remedies(*code).flat_map(parts) {
            let Part::Words(words) = part else { continue };
            for program in PROGRAMS {
                let call = format!("{program} -");
                assert!(!words.contains(&call), "{code}: {words}");
            }
            let options = words.split(' ').filter(|word| word.starts_with("--"));
            assert_eq!(options.count(), 0, "{code}: {words}");
        }
    }
}

/// An Event has room for 1,024 bytes, message and all.
#[test]
fn remedies_leave_room_for_a_message() {
    for code in Code::ALL {
        let row = code.row();
        let length = row.remedy.len() + row.azure.map_or(0, |azure| azure.len() + 3);
        assert!(length < 700, "{code}: {length}");
    }
}
