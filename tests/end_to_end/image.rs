//! The image: what is in it and what is not, and how large it is.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The largest that it may be, compressed, in bytes.
const LARGEST: usize = 15_000_000;

fn archive() -> OsString {
    env::var_os("REGISTRYCHECK_IMAGE_TAR")
        .expect("REGISTRYCHECK_IMAGE_TAR names the image: run this by make")
}

/// A file of the image's archive.
fn read(name: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("-xOf").arg(archive()).arg(name).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn blob(descriptor: &Value) -> Vec<u8> {
    read(&format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/")))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn manifest() -> Value {
    json(&blob(&json(&read("index.json"))["manifests"][0]))
}

/// Each file of a layer with its mode, and no directory.
fn files(layer: Vec<u8>) -> Vec<String> {
    let mut tar = Command::new("tar")
        .args(["-tvzf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tar.stdin.take().unwrap();
    let writing =
        std::thread::spawn(move || std::io::Write::write_all(&mut input, &layer).unwrap());
    let output = tar.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success(), "the layer is no whole archive");
    let list = String::from_utf8(output.stdout).unwrap();
    let rows = list.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let mut files: Vec<String> = rows
        .filter(|row| !row[0].starts_with('d'))
        .map(|row| format!("{} {}", row[0], row[5].trim_start_matches(['.', '/'])))
        .collect();
    files.sort_by_key(|file| file.split(' ').next_back().unwrap().to_owned());
    files
}

#[test]
fn the_image_has_the_program_and_what_it_needs_and_nothing_else() {
    let manifest = manifest();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    let expected = [
        "-rw-r--r-- etc/group",
        "-rw-r--r-- etc/passwd",
        "-rw-r--r-- etc/ssl/certs/ca-certificates.crt",
        "-rwxr-xr-x lib/x86_64-linux-gnu/libc.so.6",
        "-rwxr-xr-x lib/x86_64-linux-gnu/libgcc_s.so.1",
        "-rwxr-xr-x lib/x86_64-linux-gnu/libm.so.6",
        "-rwxr-xr-x lib64/ld-linux-x86-64.so.2",
        "-rwxr-xr-x usr/local/bin/registrycheck",
    ];
    assert_eq!(files(blob(&layers[0])), expected);
}

#[test]
fn the_image_is_small_and_runs_as_nobody() {
    let manifest = manifest();
    let layers = manifest["layers"].as_array().unwrap();
    let size: usize = layers.iter().map(|layer| blob(layer).len()).sum();
    assert!(size < LARGEST, "{size} bytes");
    let config = json(&blob(&manifest["config"]));
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"][0], "/usr/local/bin/registrycheck");
    for label in ["title", "description", "licenses"] {
        let label = format!("org.opencontainers.image.{label}");
        assert!(
            config["Labels"][&label].as_str().is_some_and(|value| !value.is_empty()),
            "{label}"
        );
    }
}
