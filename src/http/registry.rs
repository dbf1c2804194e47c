//! Who is connected: the caps, and whom to evict when they are reached.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{connection::Gauge, limits::Limits};

/// All connections of a server.
///
/// A std mutex, held for a few map operations and never across an `.await`: taken when a connection opens, when it sends its first
/// request and when it closes, not per request.
pub(super) struct Registry {
    state: Mutex<State>,
    max_connections: usize,
    per_address: u32,
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Entry>,
    /// Those that have sent no request yet; numbers grow, so the first is the oldest.
    silent: BTreeSet<u64>,
    addresses: HashMap<IpAddr, u32>,
}

struct Entry {
    gauge: Arc<Gauge>,
    /// The address it counts for; `None` when exempt.
    counted: Option<IpAddr>,
}

/// A connection's place. It lives inside the socket's wrapper, so that it is given back when the socket closes, also after an upgrade.
pub(super) struct Slot {
    registry: Arc<Registry>,
    number: u64,
    pub(super) gauge: Arc<Gauge>,
}

impl Registry {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), max_connections: limits.max_connections, per_address: limits.per_address })
    }

    /// A place for one more connection, unless its address has enough or all others are busy.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, exempt: bool) -> Option<Slot> {
        let counted = (!exempt).then(|| network_of(address));
        let mut state = self.lock();

        if let Some(key) = counted
            && state.addresses.get(&key).copied().unwrap_or_default() >= self.per_address
        {
            return None;
        }
        // The evicted one still counts until its task has dropped the socket; each newcomer evicts one, so the sum stays right.
        if state.open.len() >= self.max_connections && !state.evict() {
            return None;
        }

        let number = state.next;
        state.next += 1;
        if let Some(key) = counted {
            *state.addresses.entry(key).or_default() += 1;
        }
        let gauge = Arc::new(Gauge::default());
        state.open.insert(number, Entry { gauge: gauge.clone(), counted });
        state.silent.insert(number);
        drop(state);
        Some(Slot { registry: self.clone(), number, gauge })
    }

    /// Evicts one connection that is of no use to anyone now. Says whether there was one.
    pub(super) fn make_room(&self) -> bool {
        self.lock().evict()
    }

    /// Notes that a connection has sent its first request.
    pub(super) fn spoke(&self, number: u64) {
        self.lock().silent.remove(&number);
    }

    /// Lets every connection finish its requests and take no new ones.
    pub(super) fn drain_all(&self) {
        self.lock().open.values().for_each(|entry| entry.gauge.drain());
    }

    /// Closes every connection now.
    pub(super) fn cut_all(&self) {
        self.lock().open.values().for_each(|entry| entry.gauge.cut());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn evict(&mut self) -> bool {
        let oldest_silent = self.silent.pop_first();
        // The scan happens only under an attack that sends one request per connection; keeping idle ones in order would tax every request.
        let victim = oldest_silent.or_else(|| self.open.iter().filter(|(_, entry)| entry.gauge.is_idle()).map(|(number, _)| *number).min());
        let Some(entry) = victim.and_then(|number| self.open.get(&number)) else { return false };
        entry.gauge.cut();
        true
    }
}

impl Slot {
    /// Its number in the registry.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        state.silent.remove(&self.number);
        if let Some(key) = state.open.remove(&self.number).and_then(|entry| entry.counted)
            && let Some(count) = state.addresses.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                state.addresses.remove(&key);
            }
        }
    }
}

/// What is counted as one address: an IPv6 customer owns at least a /64, so single addresses there say nothing.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "192.0.2.1";

    fn registry(max_connections: usize, per_address: u32) -> Arc<Registry> {
        Registry::new(&Limits { max_connections, per_address, ..Limits::default() })
    }

    fn admit(registry: &Arc<Registry>, address: &str) -> Option<Slot> {
        registry.admit(address.parse().unwrap(), false)
    }

    #[test]
    fn an_address_gets_its_share_back() {
        let registry = registry(100, 2);
        let first = admit(&registry, HOME).unwrap();
        let _second = admit(&registry, HOME).unwrap();
        assert!(admit(&registry, HOME).is_none());
        assert!(admit(&registry, "192.0.2.2").is_some());

        drop(first);
        assert!(admit(&registry, HOME).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let registry = registry(100, 1);
        let _held = admit(&registry, "2001:db8:1:2::1").unwrap();
        assert!(admit(&registry, "2001:db8:1:2:ffff::9").is_none());
        assert!(admit(&registry, "2001:db8:1:3::1").is_some());
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_one() {
        let registry = registry(100, 1);
        let _held = admit(&registry, HOME).unwrap();
        assert!(admit(&registry, "::ffff:192.0.2.1").is_none());
    }

    #[test]
    fn the_exempt_are_not_counted() {
        let registry = registry(100, 1);
        let slots: Vec<_> = (0..10).map(|_| registry.admit(HOME.parse().unwrap(), true)).collect();
        assert!(slots.iter().all(Option::is_some));
    }

    #[test]
    fn the_oldest_silent_one_goes_first() {
        let registry = registry(2, 100);
        let talker = admit(&registry, HOME).unwrap();
        registry.spoke(talker.number());
        let _busy = talker.gauge.begin(http::Version::HTTP_11);
        let silent = admit(&registry, HOME).unwrap();

        let newcomer = admit(&registry, HOME).unwrap();
        assert!(silent.gauge.is_cut());
        assert!(!talker.gauge.is_cut());
        assert!(!newcomer.gauge.is_cut());
    }

    #[test]
    fn an_idle_one_goes_when_none_is_silent_and_a_busy_one_never() {
        let registry = registry(2, 100);
        let busy = admit(&registry, HOME).unwrap();
        registry.spoke(busy.number());
        let _working = busy.gauge.begin(http::Version::HTTP_11);
        let idle = admit(&registry, HOME).unwrap();
        registry.spoke(idle.number());
        drop(idle.gauge.begin(http::Version::HTTP_11));

        let newcomer = admit(&registry, HOME).unwrap();
        registry.spoke(newcomer.number());
        let _also = newcomer.gauge.begin(http::Version::HTTP_11);
        assert!(idle.gauge.is_cut());
        drop(idle);

        assert!(admit(&registry, HOME).is_none(), "all are busy");
        assert!(!busy.gauge.is_cut());
    }
}
