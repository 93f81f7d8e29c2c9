//! Settings of the installation, as a remedy changes them: by a value of the chart, and in another
//! way where Helm did not install it.

/// The chart, where it is published.
pub const CHART: &str = "oci://registrycheck.dev/charts/registrycheck";

/// A value of the chart, and the options of `registrycheck manifests` that come to the same.
pub fn of_manifests(what: &str, value: &str, options: &str) -> String {
    let separator = if options.is_empty() { "" } else { " " };
    set(what, value, &format!("registrycheck manifests{separator}{options} | kubectl apply -f -"))
}

/// A value of the chart, and the argument of the controller that comes to the same.
pub fn of_controller(what: &str, value: &str, argument: &str) -> String {
    set(what, value, &format!("start the controller with {argument}"))
}

fn set(what: &str, value: &str, otherwise: &str) -> String {
    format!(
        "{what}: helm upgrade registrycheck {CHART} -n registrycheck --reuse-values --set {value}. Or without Helm: {otherwise}."
    )
}

#[cfg(test)]
mod tests {
    use super::super::remedy::{Part, parts};
    use super::{of_controller, of_manifests};

    #[test]
    fn both_ways_can_be_pasted() {
        let helm = "helm upgrade registrycheck oci://registrycheck.dev/charts/registrycheck -n registrycheck --reuse-values --set nodeProbe.enabled=true";
        assert_eq!(
            parts(&of_manifests("Turn it on", "nodeProbe.enabled=true", "")),
            [
                Part::Words("Turn it on:"),
                Part::Command(helm),
                Part::Words("Or without Helm:"),
                Part::Command("registrycheck manifests | kubectl apply -f -"),
            ]
        );
        let with_options = of_manifests("Do", "a=b", "--no-node-probe");
        assert!(
            with_options
                .ends_with(": registrycheck manifests --no-node-probe | kubectl apply -f -.")
        );
        let argument = of_controller("Allow it", "tokenHosts={HOST}", "--token-host HOST");
        assert_eq!(
            parts(&argument).last(),
            Some(&Part::Words("Or without Helm: start the controller with --token-host HOST."))
        );
    }
}
