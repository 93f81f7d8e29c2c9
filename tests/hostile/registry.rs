//! A registry that means harm: one behaviour for each host name. The tests of the probe ask it
//! on this machine, and `make hostile-lab` through the installed controller.

mod answers;
mod content;
mod login;
mod places;
mod server;
mod transport;

pub(crate) use server::Hostile;

/// One way to misbehave.
pub(crate) struct Behaviour {
    /// Its name, which is the first label of its host's.
    pub(crate) name: &'static str,
    /// What has to be asked for before it begins; everything else is answered as well as can be.
    pub(crate) at: At,
    /// What is said then.
    pub(crate) says: Says,
    /// The names of its certificate beside its own.
    pub(crate) more_names: usize,
    /// Whether only the end of its patience ends a probe of it.
    pub(crate) takes_all: bool,
    /// Ready's reason where it is asked for an image.
    pub(crate) code: &'static str,
    /// How much of it can be got rid of before it is left alone, in KiB, with all that lies in
    /// buffers of the kernel.
    pub(crate) most: u64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Nothing yet: the connection is there, and TLS is not.
    Connection,
    /// Whatever a request is about.
    Request,
    /// A token; the registry wants one.
    Token,
    /// A document of the image.
    Content,
}

/// What is said. `{host}` stands for the host and the port that were asked.
pub(crate) enum Says {
    /// This, and then the connection is closed.
    Once(Vec<u8>),
    /// The first, and then the second for as long as anybody listens.
    Endless(Vec<u8>, Vec<u8>),
    /// The first, and then the second at one byte a second.
    Slowly(Vec<u8>, Vec<u8>),
    /// What is asked for by its path's end, and whether a HEAD is answered as well.
    Documents(Vec<Document>),
    /// Redirects to itself, each to another path.
    Redirects,
    /// A challenge, and that the connection ends: whoever comes again looks the name up again.
    LookedUpAgain,
}

/// A document, as it is served.
pub(crate) struct Document {
    /// The end of its path.
    pub(crate) path: String,
    /// Its media type, with whatever else of headers.
    pub(crate) headers: String,
    /// Its bytes.
    pub(crate) body: Vec<u8>,
}

impl Behaviour {
    fn new(name: &'static str, at: At, says: Says, code: &'static str) -> Self {
        Self { name, at, says, more_names: 0, takes_all: false, code, most: 2 << 10 }
    }

    /// The same that goes on for as long as somebody listens.
    fn takes_all(self) -> Self {
        Self { takes_all: true, ..self }
    }

    /// The same of which more is read.
    fn at_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Its host.
    pub(crate) fn host(&self) -> String {
        format!("{}.lab.test", self.name)
    }
}

/// All behaviours.
pub(crate) fn behaviours() -> Vec<Behaviour> {
    [transport::behaviours(), answers::behaviours(), places::behaviours()]
        .into_iter()
        .chain([login::behaviours(), content::behaviours()])
        .flatten()
        .collect()
}

/// A whole answer.
fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An error as a registry writes it.
fn error(message: &str) -> String {
    format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#)
}
