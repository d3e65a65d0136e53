//! How many cores a domain owns, and may own.

use smp::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A domain's cores, counted in one word, so that orders, CPU_ONs and the governor cannot give it more than it may have
/// or leave it less than it needs, however they race.
///
/// Invariants: min ≤ granted ≤ max; owned + coming ≤ max; owned - leaving stays at or above max(min, 1) as far as orders go (a guest may give
/// up more by itself); what is granted to a domain is not always owned by it.
#[derive(Debug)]
pub struct Quota {
    counts: AtomicU64,
    /// The fewest cores that orders leave to it.
    pub min: u32,
    /// The most cores that it may own.
    pub max: u32,
}

/// What a [`Quota`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaCounts {
    /// Cores that the domain owns.
    pub owned: u16,
    /// Cores that are on their way to it.
    pub coming: u16,
    /// Cores that it may own without asking anybody.
    pub granted: u16,
    /// Of those that it owns, those that it was asked to give up.
    pub leaving: u16,
}

impl QuotaCounts {
    const fn to_word(self) -> u64 {
        self.owned as u64 | (self.granted as u64) << 16 | (self.leaving as u64) << 32 | (self.coming as u64) << 48
    }

    const fn from_word(word: u64) -> Self {
        Self {
            owned: word as u16,
            granted: (word >> 16) as u16,
            leaving: (word >> 32) as u16,
            coming: (word >> 48) as u16,
        }
    }
}

/// The domain would own more cores than it may, or fewer than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaReached;

/// All accesses are Relaxed: the word guards no other data, and as exchanges of one word they cannot lose a count.
impl Quota {
    /// A quota of which nothing is taken, with `start` cores granted.
    pub fn new(min: u32, start: u32, max: u32) -> Self {
        let counts = QuotaCounts { granted: start as u16, ..QuotaCounts::default() };
        Self { counts: AtomicU64::new(counts.to_word()), min, max }
    }

    /// The counts now.
    pub fn counts(&self) -> QuotaCounts {
        QuotaCounts::from_word(self.counts.load(Relaxed))
    }

    fn change(&self, next: impl Fn(QuotaCounts) -> Option<QuotaCounts>) -> Result<(), QuotaReached> {
        let next = |word| next(QuotaCounts::from_word(word)).map(QuotaCounts::to_word);
        self.counts.fetch_update(Relaxed, Relaxed, next).map(|_| ()).map_err(|_| QuotaReached)
    }

    /// One more core is to be the domain's: of those granted to it, or, with `beyond`, one more than that, up to its
    /// maximum.
    pub fn take(&self, beyond: bool) -> Result<(), QuotaReached> {
        self.change(|now| self.taking(now, beyond))
    }

    fn taking(&self, now: QuotaCounts, beyond: bool) -> Option<QuotaCounts> {
        let owned = now.owned.checked_add(1)?;
        let all = owned.checked_add(now.coming)?;
        let limit = if beyond { self.max } else { u32::from(now.granted) };
        (u32::from(all) <= limit).then_some(QuotaCounts { owned, granted: now.granted.max(all), ..now })
    }

    /// The domain gave up a core by itself, or did not get one that it took; not below 0.
    pub fn give_back(&self) {
        let _ = self.change(|now| Some(QuotaCounts { owned: now.owned.checked_sub(1)?, ..now }));
    }

    /// So many cores are granted to it from now on, if that is allowed.
    pub fn set_granted(&self, granted: u32) -> Result<(), QuotaReached> {
        let allowed = granted >= self.min && granted <= self.max;
        self.change(|now| allowed.then_some(QuotaCounts { granted: granted as u16, ..now }))
    }

    fn expecting(&self, now: QuotaCounts) -> Option<QuotaCounts> {
        let (coming, granted) = (now.coming.checked_add(1)?, now.granted.checked_add(1)?);
        // One that it was asked for may stay.
        let all = now.owned.checked_add(coming)?;
        (u32::from(granted.max(all)) <= self.max).then_some(QuotaCounts { coming, granted, ..now })
    }

    /// One more core is granted to it, and is on its way.
    pub fn expect(&self) -> Result<(), QuotaReached> {
        self.change(|now| self.expecting(now))
    }

    /// One more core is on its way to it, of those granted to it or of one more.
    pub fn expect_some(&self) -> Result<(), QuotaReached> {
        self.change(|now| self.expecting_some(now))
    }

    /// Whether [`take`](Self::take) would succeed now.
    pub fn can_take(&self, beyond: bool) -> bool {
        self.taking(self.counts(), beyond).is_some()
    }

    /// Whether [`expect_some`](Self::expect_some) would succeed now.
    pub fn can_expect_some(&self) -> bool {
        self.expecting_some(self.counts()).is_some()
    }

    fn expecting_some(&self, now: QuotaCounts) -> Option<QuotaCounts> {
        let coming = now.coming.checked_add(1)?;
        let within = now.owned.checked_add(coming)? <= now.granted;
        if within { Some(QuotaCounts { coming, ..now }) } else { self.expecting(now) }
    }

    /// What it expected is there.
    pub fn arrived(&self) {
        let _ = self.change(|now| {
            let (owned, coming) = (now.owned.checked_add(1)?, now.coming.checked_sub(1)?);
            Some(QuotaCounts { owned, coming, ..now })
        });
    }

    /// What it expected does not come; with `granted` it stays granted to it.
    pub fn unexpect(&self, granted: bool) {
        let _ = self.change(|now| {
            let (coming, less) = (now.coming.checked_sub(1)?, now.granted.saturating_sub(1).max(self.min as u16));
            Some(QuotaCounts { coming, granted: if granted { now.granted } else { less }, ..now })
        });
    }

    /// Whether [`expect`](Self::expect) would succeed now.
    pub fn can_expect(&self) -> bool {
        self.expecting(self.counts()).is_some()
    }

    fn asking(&self, now: QuotaCounts) -> Option<QuotaCounts> {
        let (leaving, granted) = (now.leaving.checked_add(1)?, now.granted.checked_sub(1)?);
        let left = now.owned.checked_sub(leaving)?;
        let enough = u32::from(left) >= self.min.max(1) && u32::from(granted) >= self.min;
        enough.then_some(QuotaCounts { granted, leaving, ..now })
    }

    /// It is asked to give up one of its cores: one less is granted to it.
    pub fn ask(&self) -> Result<(), QuotaReached> {
        self.change(|now| self.asking(now))
    }

    /// Whether [`ask`](Self::ask) would succeed now.
    pub fn can_ask(&self) -> bool {
        self.asking(self.counts()).is_some()
    }

    /// It keeps the core that it was asked for.
    pub fn keep(&self) {
        let _ = self.change(|now| {
            let (leaving, granted) = (now.leaving.checked_sub(1)?, now.granted.checked_add(1)?);
            // It may have begun anew meanwhile.
            Some(QuotaCounts { granted: granted.min(self.max as u16), leaving, ..now })
        });
    }

    /// The core that it was asked for is gone.
    pub fn left(&self) {
        let _ = self.change(|now| {
            let (owned, leaving) = (now.owned.checked_sub(1)?, now.leaving.checked_sub(1)?);
            Some(QuotaCounts { owned, leaving, ..now })
        });
    }

    /// The domain begins anew, with so many cores granted to it.
    pub fn restart(&self, granted: u32) {
        let _ = self.change(|now| Some(QuotaCounts { granted: granted as u16, ..now }));
    }
}
