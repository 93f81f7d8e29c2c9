//! The definition of the custom resource as a template of the chart, so that it is upgraded with it.

use registrycheck::install;
use serde_json::json;

/// The whole template.
pub(crate) fn crd() -> String {
    let crd = install::crd();
    let part = |key: &str| install::yaml(&[json!({ key: crd[key] })]).unwrap();
    let template = [
        "{{- /* The output of registrycheck crd, with a release's labels. Written by make update. */}}\n",
        "{{- if .Values.crds.install }}\n",
        &part("apiVersion"),
        &part("kind"),
        "metadata:\n",
        &format!("  name: {}\n", crd["metadata"]["name"].as_str().unwrap()),
        "  labels:\n    {{- include \"registrycheck.labels\" . | nindent 4 }}\n",
        "  {{- if .Values.crds.keep }}\n",
        "  annotations:\n    helm.sh/resource-policy: keep\n",
        "  {{- end }}\n",
        &escaped(&part("spec")),
        "{{- end }}\n",
    ];
    template.concat()
}

/// Text that a template has no part in.
fn escaped(text: &str) -> String {
    text.replace("{{", "{{ `{{` }}")
}
