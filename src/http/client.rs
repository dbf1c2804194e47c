//! Whose request it is when proxies stand in between.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The client's address as far as it can be believed; found in a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub IpAddr);

/// The proxies whose `X-Forwarded-For` and `X-Request-Id` are believed. None by default: anyone can send those headers.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// An entry that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct BadProxy(pub String);

impl TrustedProxies {
    /// Reads addresses and CIDR networks.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<S: AsRef<str>>(list: &[S]) -> Result<Self, BadProxy> {
        list.iter()
            .map(|entry| {
                let text = entry.as_ref().trim();
                text.parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())))
                    .map_err(|_| BadProxy(text.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether this is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client behind `peer`: the rightmost hop of `X-Forwarded-For` that is no trusted proxy.
    ///
    /// Read from the right, since each proxy appends whom it has seen; what stands to the left of an untrusted hop is that hop's own word.
    /// An unreadable hop ends the search at the last one that was believed.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let mut nearest = peer.to_canonical();
        if !self.contains(nearest) {
            return ClientAddr(nearest);
        }
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(line) = line.to_str() else { return ClientAddr(nearest) };
            for hop in line.rsplit(',') {
                let Some(address) = hop_address(hop.trim()) else { return ClientAddr(nearest) };
                nearest = address;
                if !self.contains(nearest) {
                    return ClientAddr(nearest);
                }
            }
        }
        ClientAddr(nearest)
    }
}

/// Some proxies add a port, or brackets around an IPv6 address.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|socket| socket.ip())).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::parse(&["10.0.0.0/8", "2001:db8::1", "127.0.0.1"]).unwrap();
        let name = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(&name, HeaderValue::from_str(line).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn a_stranger_cannot_claim_another_address() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["127.0.0.1"]), "203.0.113.9");
        assert_eq!(seen("::ffff:203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_for_its_own_hop_only() {
        assert_eq!(seen("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1", "what the client itself sent stands to the left");
        assert_eq!(seen("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1", "several lines are one list");
        assert_eq!(seen("2001:db8::1", &["2001:db8::2"]), "2001:db8::2");
    }

    #[test]
    fn without_a_readable_hop_it_is_the_proxy() {
        assert_eq!(seen("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(seen("10.1.2.3", &[""]), "10.1.2.3");
        assert_eq!(seen("10.1.2.3", &["198.51.100.1, unknown"]), "10.1.2.3");
        assert_eq!(seen("10.1.2.3", &["unknown, 10.9.9.9"]), "10.9.9.9");
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        assert_eq!(seen("10.1.2.3", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("10.1.2.3", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(seen("10.1.2.3", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn a_bad_entry_is_named() {
        assert_eq!(TrustedProxies::parse(&["10.0.0.0/8", "lan"]).unwrap_err(), BadProxy("lan".to_owned()));
        assert!(TrustedProxies::parse(&["10.0.0.0/33"]).is_err());
    }
}
