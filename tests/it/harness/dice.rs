//! Choices that look like chance and can be made again.

use std::hash::{BuildHasher as _, RandomState};

/// SplitMix64 (Steele, Lea, Flood 2014): a few lines, and the same on every machine and with every version of a library.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// From `SEED_FOR_TESTS`, or a seed of its own; says which, so that a failure can be tried again.
    pub(crate) fn seeded() -> Self {
        let given = std::env::var("SEED_FOR_TESTS").ok();
        let seed = given.map_or_else(|| RandomState::new().hash_one(0), |seed| seed.parse().expect("SEED_FOR_TESTS is a number"));
        println!("SEED_FOR_TESTS={seed} makes the same choices again");
        Self(seed)
    }

    /// Others, that follow from these.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// One of `0..count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let choice = self.next() % u64::try_from(count).expect("a number");
        usize::try_from(choice).expect("less than it")
    }

    /// These in another order.
    pub(crate) fn shuffled<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
        items
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
