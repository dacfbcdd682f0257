//! Deliberate breakages of this crate, one of which is chosen at run time. They exist only under `--cfg npws_mutations`,
//! for the check that the simulation finds every one of them.

/// Breaks what follows if this mutation is chosen. Elsewhere it is nothing at all.
macro_rules! mutation {
    ($name:ident => $breakage:expr) => {
        #[cfg(npws_mutations)]
        if crate::mutation::Mutation::$name.is_chosen() {
            $breakage;
        }
    };
}

#[cfg(npws_mutations)]
pub use self::chosen::Mutation;

#[cfg(npws_mutations)]
mod chosen {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// None of them.
    const NONE: usize = usize::MAX;

    static CHOSEN: AtomicUsize = AtomicUsize::new(NONE);

    /// A deliberate breakage. The comments say what is broken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Mutation {
        /// A new connection is looked for by those who wait before it is there, and not again.
        QueueBeforeStore,
        /// A take by ID removes the head of the order of idle connections, whichever that is.
        HeadPopOnTakeById,
        /// Who is offered a connection is not woken.
        LostWakeUp,
        /// A take that fails at its deadline is not woken.
        LostTimeout,
        /// The control ID is spent by a handshake that fails.
        ControlIdBurnt,
        /// All clients come back after exactly the same pause.
        UnjitteredWave,
        /// One connection is offered to two.
        DoubleDelivery,
        /// A ping is sent and its pong is not waited for.
        PongDeadlineNotArmed,
        /// What follows the ID in the same message is dropped.
        EarlyDataDropped,
        /// What a peer sent before it closed is dropped.
        RetainedDataDropped,
        /// The last to wait is served first.
        WaiterLifo,
        /// A connection that is closed is not counted.
        ConservationSlip,
        /// What a closed pool is asked for is waited for.
        TakeAfterClose,
        /// A late report about a connection counts for whichever has its ID now.
        AgeIgnored,
        /// A handshake that fails keeps its slot.
        SlotLeaked,
        /// A drain does not ask idle connections back.
        NotAskedBack,
        /// A cancelled take keeps what it was offered.
        CancelKeepsOffer,
        /// Two users who take one connection at the same time both keep it.
        ClaimsMayCross,
        /// A client hands out its oldest connection first.
        ClientTakesOldest,
        /// A retained connection stays for good.
        RetentionForgotten,
        /// An endpoint of a group that is back is not dialed again.
        ResumeForgotten,
        /// Nobody makes up for an endpoint that is out.
        SharesKept,
        /// An address that a name has no more stays an endpoint.
        VanishedKept,
        /// A group always takes from the same endpoint first.
        TurnsForgotten,
        /// After a probe that failed no other follows for a minute.
        ProbeOnlyOnce,
        /// A pool that is told to hold its dials goes on.
        HoldIgnored,
    }

    impl Mutation {
        /// All of them.
        pub const ALL: [Self; 26] = [
            Self::QueueBeforeStore,
            Self::HeadPopOnTakeById,
            Self::LostWakeUp,
            Self::LostTimeout,
            Self::ControlIdBurnt,
            Self::UnjitteredWave,
            Self::DoubleDelivery,
            Self::PongDeadlineNotArmed,
            Self::EarlyDataDropped,
            Self::RetainedDataDropped,
            Self::WaiterLifo,
            Self::ConservationSlip,
            Self::TakeAfterClose,
            Self::AgeIgnored,
            Self::SlotLeaked,
            Self::NotAskedBack,
            Self::CancelKeepsOffer,
            Self::ClaimsMayCross,
            Self::ClientTakesOldest,
            Self::RetentionForgotten,
            Self::ResumeForgotten,
            Self::SharesKept,
            Self::VanishedKept,
            Self::TurnsForgotten,
            Self::ProbeOnlyOnce,
            Self::HoldIgnored,
        ];

        /// Breaks this crate like this from now on, for all threads; or not at all.
        pub fn choose(mutation: Option<Self>) {
            CHOSEN.store(mutation.map_or(NONE, |mutation| mutation as usize), Ordering::Relaxed);
        }

        pub(crate) fn is_chosen(self) -> bool {
            CHOSEN.load(Ordering::Relaxed) == self as usize
        }
    }
}
