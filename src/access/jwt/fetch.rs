//! The keys of an issuer from where it publishes them.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use ureq::Agent;

use super::keys::BYTES_MAX;

/// It takes no longer, from the first packet to the last.
const FETCH_MAX: Duration = Duration::from_secs(5);

/// What stands at an address: its first answer, and nothing that it points at.
pub(super) fn fetch(url: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let config = Agent::config_builder()
        .timeout_global(Some(FETCH_MAX))
        // To be sent elsewhere by somebody in between is not what the configuration says.
        .max_redirects(0)
        .max_redirects_will_error(true)
        // The configuration was checked: without TLS it is this machine.
        .https_only(url.starts_with("https://"))
        // The environment is `cli`'s to look at.
        .proxy(None)
        .user_agent(concat!("casefile/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = Agent::new_with_config(config).get(url).call()?;
    let mut bytes = Vec::new();
    response.body_mut().as_reader().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
