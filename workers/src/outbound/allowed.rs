//! Networks that the operator opened although they are not on the public internet.

use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Networks of one's own that may be asked: for the ntfy server at home. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Arc<[IpNet]>);

/// This is no list of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no list of networks such as 192.168.1.0/24,fd00::/8")]
pub struct NotNetworks;

impl AllowedNetworks {
    /// Whether an address belongs to one of them. IPv4 written as IPv6 is IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for AllowedNetworks {
    type Err = NotNetworks;

    /// Networks or single addresses, with commas between them.
    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        let network = |text: &str| {
            let text = text.trim();
            text.parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| NotNetworks)
        };
        text.split(',')
            .filter(|part| !part.trim().is_empty())
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn networks_and_addresses_open_what_they_name_and_nothing_else() {
        let allowed: AllowedNetworks = "192.168.1.0/24, fd00::/8,10.0.0.7".parse().unwrap();
        for (address, open) in [
            ("192.168.1.9", true),
            ("192.168.2.9", false),
            ("10.0.0.7", true),
            ("10.0.0.8", false),
            ("fd12::1", true),
            ("::ffff:192.168.1.9", true),
            ("::ffff:192.168.2.9", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(allowed.contains(address.parse().unwrap()), open, "{address}");
        }
        assert_eq!("home".parse::<AllowedNetworks>(), Err(NotNetworks));
        assert_eq!("".parse::<AllowedNetworks>(), Ok(AllowedNetworks::default()));
    }
}
