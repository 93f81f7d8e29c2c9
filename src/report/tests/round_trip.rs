use crate::api::RegistryCheckStatus;
use crate::properties::{check, corpus, edited_bytes};

/// What is read of the API is written as it was: or a status would differ from itself, and be
/// written for ever.
#[test]
fn any_status_that_can_be_read_is_written_as_it_was() {
    let shards: &[&[u8]] = &[
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"\"",
        b"null",
        b"true",
        b"-1",
        b"0",
        b"\"\"",
        b"{}",
        b"[]",
        b"\\u0000",
        b"\\u202e",
        b"2026-01-01T00:00:00Z",
        b"9999-12-31T23:59:59Z",
        b"False",
        b"Certain",
        b"",
    ];
    check(&edited_bytes(corpus("status"), shards), |text| {
        let Ok(status) = serde_json::from_slice::<RegistryCheckStatus>(&text) else { return };
        let written = serde_json::to_string(&status).unwrap();
        let again: RegistryCheckStatus = serde_json::from_str(&written).unwrap();
        assert_eq!(again, status);
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    });
}
