//! Whose pods: which RegistryCheck a namespace's failing pods of one registry belong to, and
//! which checks this controller may delete.
//!
//! Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::api::{AUTOMATIC_LABEL, FIELD_MANAGER, RegistryCheck};

/// Whether this controller made the check and nobody else has laid a hand on it since: our
/// label, and no other field manager in spec or labels. Only such a check is ever deleted.
pub(crate) fn is_automatic(check: &RegistryCheck) -> bool {
    let labels = check.metadata.labels.as_ref();
    let labelled = labels.is_some_and(|labels| labels.contains_key(AUTOMATIC_LABEL));
    let managers = check.metadata.managed_fields.as_deref().unwrap_or_default();
    labelled && !managers.iter().any(is_another_author)
}

fn is_another_author(entry: &ManagedFieldsEntry) -> bool {
    let touches = |pointer: &str| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields.pointer(pointer).is_some())
    };
    entry.manager.as_deref() != Some(FIELD_MANAGER)
        && (touches("/f:spec") || touches("/f:metadata/f:labels"))
}

/// The check to which the failing pods belong, of all those for one namespace and registry:
/// the oldest user-made one, else the automatic one.
pub(crate) fn owner<'check>(
    checks: impl IntoIterator<Item = &'check RegistryCheck>,
) -> Option<&'check RegistryCheck> {
    checks.into_iter().min_by_key(|check| {
        let created = check.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (is_automatic(check), created, check.metadata.name.clone())
    })
}

#[cfg(test)]
mod tests;
