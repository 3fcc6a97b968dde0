//! The program's options, from the command line.

use std::error::Error;

pub(crate) struct Options {
    pub(crate) listen: String,
    pub(crate) security: Security,
    /// Where probes ask.
    pub(crate) probe: Option<String>,
    /// Where the collector of metrics is.
    pub(crate) otlp: Option<String>,
}

pub(crate) enum Security {
    Plaintext,
    Tls { certificate: String, key: String },
}

impl Options {
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let (mut listen, mut probe, mut otlp) = (None, None, None);
        let (mut is_plain, mut certificate, mut key) = (false, None, None);
        while let Some(argument) = arguments.next() {
            let value = match argument.as_str() {
                "--plaintext" => {
                    is_plain = true;
                    continue;
                }
                "--listen" => &mut listen,
                "--certificate" => &mut certificate,
                "--key" => &mut key,
                "--probe" => &mut probe,
                "--otlp" => &mut otlp,
                _ => return Err(format!("'{argument}' is not known here").into()),
            };
            let given = arguments.next();
            *value = Some(given.ok_or_else(|| format!("{argument} needs a value"))?);
        }
        // Without encryption only if asked for: a missing option is an error.
        let security = match (is_plain, certificate, key) {
            (true, None, None) => Security::Plaintext,
            (false, Some(certificate), Some(key)) => Security::Tls { certificate, key },
            _ => return Err("say --plaintext, or --certificate FILE and --key FILE".into()),
        };
        Ok(Self {
            listen: listen.ok_or("say --listen ADDRESS")?,
            security,
            probe,
            otlp,
        })
    }
}
