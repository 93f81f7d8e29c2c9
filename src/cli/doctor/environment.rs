//! What of the environment says where engines and logins are, as arguments: each has the variable
//! that the clients read.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::workstation::Environment;

/// Where engines and logins are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where Docker and Podman are")]
pub(super) struct EnvironmentArguments {
    /// Docker's engine, such as `unix:///var/run/docker.sock`.
    #[arg(long, value_name = "URL", env = "DOCKER_HOST", hide_env_values = true)]
    docker_host: Option<String>,
    /// The context of Docker's client.
    #[arg(long, value_name = "NAME", env = "DOCKER_CONTEXT", hide_env_values = true)]
    docker_context: Option<String>,
    /// The directory of Docker's client. Left out, it is ~/.docker.
    #[arg(long, value_name = "DIR", env = "DOCKER_CONFIG", hide_env_values = true)]
    docker_config: Option<PathBuf>,
    /// Whether Docker's engine is behind TLS; any value that is not empty says yes.
    #[arg(long, value_name = "YES", env = "DOCKER_TLS_VERIFY", hide_env_values = true)]
    docker_tls_verify: Option<String>,
    /// Where ca.pem, cert.pem and key.pem for that are. Left out, it is the directory of Docker's
    /// client.
    #[arg(long, value_name = "DIR", env = "DOCKER_CERT_PATH", hide_env_values = true)]
    docker_cert_path: Option<PathBuf>,
    /// Podman's service.
    #[arg(long, value_name = "URL", env = "CONTAINER_HOST", hide_env_values = true)]
    container_host: Option<String>,
    /// Podman's file of logins.
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE", hide_env_values = true)]
    registry_auth_file: Option<PathBuf>,
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    xdg_runtime_dir: Option<PathBuf>,
    #[arg(long, env = "XDG_CONFIG_HOME", hide = true)]
    xdg_config_home: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true)]
    home: Option<PathBuf>,
}

impl EnvironmentArguments {
    /// The same without what is empty, which the clients take for nothing.
    pub(super) fn read(&self) -> anyhow::Result<Environment> {
        let home = path(self.home.as_ref()).context(
            "the home of this user is not known, where Docker and Podman keep logins: set HOME",
        )?;
        let own = std::fs::metadata("/proc/self").context("cannot find out who this user is")?;
        Ok(Environment {
            home,
            user: own.uid(),
            docker_host: text(self.docker_host.as_ref()),
            docker_context: text(self.docker_context.as_ref()),
            docker_config: path(self.docker_config.as_ref()),
            docker_tls: text(self.docker_tls_verify.as_ref()).is_some(),
            docker_certificates: path(self.docker_cert_path.as_ref()),
            container_host: text(self.container_host.as_ref()),
            auth_file: path(self.registry_auth_file.as_ref()),
            runtime: path(self.xdg_runtime_dir.as_ref()),
            configuration: path(self.xdg_config_home.as_ref()),
        })
    }
}

fn text(given: Option<&String>) -> Option<String> {
    given.cloned().filter(|text| !text.is_empty())
}

fn path(given: Option<&PathBuf>) -> Option<PathBuf> {
    given.cloned().filter(|path| !path.as_os_str().is_empty())
}
