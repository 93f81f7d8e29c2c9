//! Hosts beside those of the ground: the ground gives them names and addresses, and plays them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rcgen::{CertificateParams, DnType, DnValue, Issuer, KeyPair};
use serde_json::Value;

use crate::ground::ground;

/// The server of these hosts, which ends with this value.
pub(crate) struct Played(Child);

impl Drop for Played {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Starts the server that plays all of these hosts, by that command of the ground; `name` is of
/// the file in which it is told of them.
pub(crate) fn play(command: &str, name: &str, content: &Value) -> Played {
    let file = ground().logs().with_file_name(name);
    fs::write(&file, content.to_string()).unwrap();
    let mut child =
        Command::new("ground").arg(command).arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "the registries did not start");
    Played(child)
}

/// The authority that signs the ground's registries.
pub(crate) fn registry_issuer() -> Issuer<'static, KeyPair> {
    let directory = ground().logs().parent().unwrap().join("certificates");
    let read = |file: &str| fs::read_to_string(directory.join(file)).unwrap();
    let key = KeyPair::from_pem(&read("registry-ca.key")).unwrap();
    let pem = read("registry-ca.crt");
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let name = certificate.subject().iter_common_name().next().unwrap().as_str().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    // Byte by byte the subject of the authority, which Go writes so.
    let name = DnValue::PrintableString(name.try_into().unwrap());
    params.distinguished_name.push(DnType::CommonName, name);
    Issuer::new(params, key)
}
