//! How often: token buckets per address and per account (GCRA, by `governor`), on our clock.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::error::{Error, Result};

/// Our clock as governor reads one.
#[derive(Clone)]
struct Steered(Clock);

impl governor::clock::Clock for Steered {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().millis().max(0).unsigned_abs())
    }
}

/// A limit: so many at once, and one more each so often.
struct Limit {
    limiter: RateLimiter<String, HashMapStateStore<String>, Steered, NoOpMiddleware<Duration>>,
    clock: Steered,
    /// Counts checks; every so many, keys that are as good as new are forgotten, so that memory is bounded by the rate of abuse and not by its sum.
    checks: AtomicU32,
}

impl Limit {
    fn new(clock: &Clock, burst: u32, refill: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let clock = Steered(clock.clone());
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()), clock, checks: AtomicU32::new(0) }
    }

    fn check(&self, key: &str) -> Result<()> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % 1_024 == 1_023 {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&key.to_owned())
            .map_err(|until| Error::TooMany(until.wait_time_from(self.clock.now()).max(Duration::from_secs(1))))
    }
}

/// The limits of the doors that strangers knock on.
///
/// An account is limited only together with the network that knocks, so that nobody can lock another out; the network is limited for itself as well.
pub struct Throttle {
    sign_up: Limit,
    sign_in: Limit,
    sign_in_network: Limit,
    password: Limit,
    invite: Limit,
    link: Limit,
    forgot: Limit,
    reset_mail: Limit,
    invite_mail: Limit,
}

impl Throttle {
    /// Fresh limits on this clock.
    pub fn new(clock: &Clock) -> Self {
        Self {
            // 30 in ten minutes: a workshop behind one address can still sign up together.
            sign_up: Limit::new(clock, 30, Duration::from_secs(20)),
            sign_in: Limit::new(clock, 10, Duration::from_secs(30)),
            sign_in_network: Limit::new(clock, 100, Duration::from_secs(3)),
            password: Limit::new(clock, 10, Duration::from_secs(60)),
            invite: Limit::new(clock, 60, Duration::from_secs(30)),
            link: Limit::new(clock, 100, Duration::from_secs(3)),
            forgot: Limit::new(clock, 20, Duration::from_secs(30)),
            reset_mail: Limit::new(clock, 3, Duration::from_secs(20 * 60)),
            invite_mail: Limit::new(clock, 5, Duration::from_secs(20 * 60)),
        }
    }

    /// Someone at this address signs up.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn sign_up(&self, from: IpAddr) -> Result<()> {
        self.sign_up.check(&network(from))
    }

    /// Someone at this address tries to be this account.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn sign_in(&self, from: IpAddr, email: &str) -> Result<()> {
        self.sign_in_network.check(&network(from))?;
        self.sign_in.check(&format!("{} {email}", network(from)))
    }

    /// A signed-in person proves their password.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn password(&self, user: &str) -> Result<()> {
        self.password.check(user)
    }
}

impl Throttle {
    /// A signed-in person invites somebody: each is a mail to a stranger.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn invite(&self, user: &str) -> Result<()> {
        self.invite.check(user)
    }

    /// Someone at this address opens a one-time link.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn link(&self, from: IpAddr) -> Result<()> {
        self.link.check(&network(from))
    }

    /// Someone at this address has forgotten a password.
    ///
    /// # Errors
    /// `TooMany`.
    pub fn forgot(&self, from: IpAddr) -> Result<()> {
        self.forgot.check(&network(from))
    }

    /// Whether one more invitation may be mailed to this address, whoever invites: so many organizations as somebody makes, a stranger's mailbox is not
    /// theirs to fill.
    pub fn allows_invite_mail(&self, email: &str) -> bool {
        self.invite_mail.check(email).is_ok()
    }

    /// Whether one more mail with a link may go to this address. Nobody is told when not: the links sent before still work, and whoever asks must
    /// not learn that there is an account.
    pub fn allows_reset_mail(&self, email: &str) -> bool {
        self.reset_mail.check(email).is_ok()
    }
}

/// What one customer of a network can choose from: an IPv4 address, a /64 of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments()[..4].iter().map(|part| format!("{part:x}:")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn guessing_is_slowed_without_locking_the_owner_out() {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let throttle = Throttle::new(&clock);
        let (thief, owner): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
        let mut refused = None;
        for _ in 0..20 {
            refused = throttle.sign_in(thief, "ada@example.com").err().or(refused);
        }
        let Some(Error::TooMany(wait)) = refused else { panic!("{refused:?}") };
        assert!(throttle.sign_in(owner, "ada@example.com").is_ok());
        clock.advance(wait);
        assert!(throttle.sign_in(thief, "ada@example.com").is_ok());
    }

    #[test]
    fn twenty_people_behind_one_address_can_sign_up() {
        let throttle = Throttle::new(&Clock::manual(Timestamp::from_millis(0)));
        let office: IpAddr = "2001:db8::1".parse().unwrap();
        assert!((0..20).all(|_| throttle.sign_up(office).is_ok()));
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert!((0..20).any(|_| throttle.sign_up(neighbour).is_err()), "one /64 is one customer");
    }
}
