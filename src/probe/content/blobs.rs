//! The parts of an image: its configuration, and its layers as far as the first byte.

#![expect(clippy::result_large_err, reason = "one for each pull")]

use std::time::{Duration, Instant};

use futures::future;
use futures::stream::{self, StreamExt as _};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE};

use crate::evidence::told::Unfit;
use crate::evidence::{End, Role, Step, StepName};
use crate::image::platform::Platform;

use crate::probe::connection::micros;
use crate::probe::exchange::{Body, Question, Reply};
use crate::probe::protocol;
use crate::probe::protocol::manifest::{self, Descriptor};
use crate::probe::pull::MANIFEST_MAX;
use crate::probe::words;

use super::{Chosen, Ended, Reader, mismatch};

/// The largest configuration that is read, in bytes.
const CONFIG_MAX: u64 = 4 << 20;
/// How many layers are asked for with HEAD, as many as Docker takes, and how many at once.
const LAYERS_MAX: usize = 126;
const LAYERS_AT_ONCE: usize = 2;

impl Reader<'_> {
    /// Configuration and layers, side by side; the platform that the configuration states.
    pub(super) async fn blobs(
        &self,
        chosen: &Chosen,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Platform>, Ended> {
        let own: Vec<&Descriptor> =
            manifest::own_layers(&chosen.layers).filter(|layer| layer.has_digest()).collect();
        let first = own.first().copied();
        let layer = async {
            match first {
                Some(layer) => Some(self.first_byte(layer).await),
                None => None,
            }
        };
        let (config, layer) = future::join(self.config(chosen), layer).await;
        let platform = self.write(StepName::Config, config, steps)?;
        if let Some(layer) = layer {
            let others = own.get(1..).unwrap_or_default();
            let mut read = layer;
            if read.result.is_ok() && !others.is_empty() {
                let began = Instant::now();
                let missing = self.others(others).await;
                read.took += began.elapsed();
                let n_asked = others.len().min(LAYERS_MAX);
                read.detail = format!("{}, {n_asked} more", read.detail);
                if let Some(ended) = missing {
                    read.result = Err(ended);
                }
            }
            self.write(StepName::Layer, read, steps)?;
        }
        Ok(platform)
    }

    /// Writes down the step of one blob, with the connection that it took.
    fn write<T>(&self, name: StepName, read: Read<T>, steps: &mut Vec<Step>) -> Result<T, Ended> {
        let Read { connection, took, result, detail, host } = read;
        let connecting: u64 = connection.iter().map(|step| step.micros).sum();
        let micros = micros(took).saturating_sub(connecting);
        let mut new: Vec<Step> =
            connection.into_iter().filter(|step| step.host.is_some() || !step.passed).collect();
        if new.iter().all(|step| step.passed) {
            let (passed, detail) = match &result {
                Ok(_) => (true, detail),
                Err(ended) => (false, words::in_words(&ended.end)),
            };
            new.push(Step { name, host, passed, detail, micros });
        }
        self.push(steps, new);
        result
    }

    async fn config(&self, chosen: &Chosen) -> Read<Option<Platform>> {
        let Chosen { config, layers, has_to_match } = chosen;
        let is_small = config.size <= CONFIG_MAX && config.size > 0;
        let read = self.blob(StepName::Config, config, !is_small).await;
        read.and_then(|reply| {
            let unfit = |problem| {
                let hop = reply.hop.clone();
                Ended::from(End::Unfit { hop, step: StepName::Config, problem })
            };
            if !is_small {
                return Ok((None, format!("{} bytes, not read", config.size)));
            }
            if let Some(problem) = mismatch(config, &reply.body) {
                return Err(unfit(problem));
            }
            let not_an_image = |what| Err(unfit(Unfit::NotAnImage { what, is_only_old: false }));
            let of_type = |type_: &str| format!("an artifact of the type {type_}");
            let read = manifest::config(&reply.body);
            let layer_types = layers.iter().map(|layer| layer.media_type.as_str());
            let strange = layer_types.into_iter().find(|type_| !manifest::is_layer(type_));
            match read {
                None => not_an_image(of_type(&config.media_type)),
                // mismatched image rootfs and manifest layers (core/images, unpacker).
                Some(read) if read.layers != layers.len() => {
                    not_an_image(strange.map_or_else(
                        || {
                            let (knows, has) = (read.layers, layers.len());
                            format!("an image whose configuration knows {knows} layers and whose manifest has {has}")
                        },
                        |_| of_type(&config.media_type),
                    ))
                }
                Some(read) => match (strange, &read.platform, self.walk.platform) {
                    (Some(layer), _, _) => not_an_image(format!("an artifact with a layer of the type {layer}")),
                    (None, Some(own), Some(node))
                        if *has_to_match && node.preference(own).is_none() =>
                    {
                        let (wanted, offered) = (Some(node.clone()), vec![own.to_string()]);
                        Err(unfit(Unfit::OtherPlatform { wanted, offered }))
                    }
                    (None, own, _) => {
                        let name = own.as_ref().map_or_else(String::new, |own| format!("{own}, "));
                        Ok((read.platform.clone(), format!("{name}{} bytes", reply.body.len())))
                    }
                },
            }
        })
    }

    async fn first_byte(&self, layer: &Descriptor) -> Read<()> {
        let read = self.blob(StepName::Layer, layer, true).await;
        read.and_then(|reply| {
            let total = total(&reply);
            let is_cut = reply.body.is_empty() && layer.size > 0;
            let differs = layer.size > 0 && total.is_some_and(|total| total != layer.size);
            if is_cut || differs {
                let seen = if is_cut { 0 } else { total.unwrap_or_default() };
                let problem = Unfit::Corrupted {
                    promised: format!("{} bytes", layer.size),
                    seen: format!("{seen} bytes"),
                };
                let hop = reply.hop.clone();
                return Err(End::Unfit { hop, step: StepName::Layer, problem }.into());
            }
            Ok(((), format!("first of {} bytes", layer.size)))
        })
    }

    /// Asks for the other layers with HEAD. One that is refused is asked for again with GET,
    /// since not every host of blobs takes a HEAD; that decides.
    async fn others(&self, layers: &[&Descriptor]) -> Option<Ended> {
        let asked = layers.iter().take(LAYERS_MAX).map(|layer| async {
            let url = protocol::blob_url(&self.walk.manifest, &layer.digest)?;
            let head = self.walk.line.ask(self.question(StepName::Layer, Method::HEAD, &url, true));
            let is_there = matches!(head.await.result, Ok(reply) if reply.is_success()
                && (layer.size == 0 || length(&reply).is_none_or(|length| length == layer.size)));
            if is_there { None } else { self.first_byte(layer).await.result.err() }
        });
        let asked: Vec<_> = asked.collect();
        let mut ends = stream::iter(asked).buffered(LAYERS_AT_ONCE);
        while let Some(end) = ends.next().await {
            if end.is_some() {
                return end;
            }
        }
        None
    }

    /// Asks for a blob, or its first byte alone; a host that knows no ranges is asked again
    /// without one, as containerd asks.
    async fn blob(&self, step: StepName, blob: &Descriptor, first_byte: bool) -> Read<Reply> {
        let Some(url) = protocol::blob_url(&self.walk.manifest, &blob.digest) else {
            let what = "an image whose parts have no digest".to_owned();
            let problem = Unfit::NotAnImage { what, is_only_old: false };
            let hop = self.walk.registry_hop();
            return Read::nothing(End::Unfit { hop, step, problem }.into());
        };
        let line = &self.walk.line;
        let mut asked = line.ask(self.question(step, Method::GET, &url, first_byte)).await;
        if first_byte
            && matches!(&asked.result, Ok(reply) if matches!(reply.status, 400 | 416 | 501))
        {
            let mut question = self.question(step, Method::GET, &url, false);
            question.limit = 1;
            asked = line.ask(question).await;
        }
        let host = match &asked.result {
            Ok(reply) if reply.hop.role != Role::Registry => Some(reply.hop.host.clone()),
            Ok(_) | Err(_) => None,
        };
        let (connection, took) = (asked.connection.clone(), asked.took);
        let result = self.success(asked, step);
        Read { connection, took, result, detail: String::new(), host }
    }

    fn question<'q>(
        &'q self,
        step: StepName,
        method: Method,
        url: &'q url::Url,
        first_byte: bool,
    ) -> Question<'q> {
        let limit = if first_byte { 1 } else { MANIFEST_MAX + 1 };
        Question {
            step,
            role: Role::Registry,
            method,
            url,
            authorization: self.authorization,
            body: Body::Blob { first_byte },
            limit,
        }
    }
}

/// What came of reading one blob.
struct Read<T> {
    connection: Vec<Step>,
    took: Duration,
    result: Result<T, Ended>,
    detail: String,
    host: Option<String>,
}

impl<T> Read<T> {
    fn nothing(ended: Ended) -> Self {
        Self {
            connection: Vec::new(),
            took: Duration::ZERO,
            result: Err(ended),
            detail: String::new(),
            host: None,
        }
    }

    /// Understands what was read; the understanding has words.
    fn and_then<U>(self, understand: impl FnOnce(T) -> Result<(U, String), Ended>) -> Read<U> {
        let Self { connection, took, result, host, .. } = self;
        let (result, detail) = match result.and_then(understand) {
            Ok((understood, detail)) => (Ok(understood), detail),
            Err(ended) => (Err(ended), String::new()),
        };
        Read { connection, took, result, detail, host }
    }
}

/// The length of the whole blob, as the answer to a range or to none states it.
fn total(reply: &Reply) -> Option<u64> {
    if reply.status == 206 {
        let range = protocol::header(&reply.headers, CONTENT_RANGE.as_str())?;
        return range.rsplit('/').next()?.parse().ok();
    }
    length(reply)
}

fn length(reply: &Reply) -> Option<u64> {
    protocol::header(&reply.headers, CONTENT_LENGTH.as_str())?.parse().ok()
}
