//! The kinds of trace records.

crate::named! {
    /// What a record says happened; `a` and `b` are the record's two words.
    pub enum Event {
        /// The boot reached a stage: a = 1 entry, 3 device tree read, 4 cores up, 5 manifest read, 7 domains
        /// started; b = cores. 2 (MMU on) and 6 (domains loaded) are not written: the MMU is on at entry, and each
        /// domain is loaded by its own core (`DomainStart`).
        BootStage = 1 "boot-stage",
        /// The core came up.
        CoreUp = 2 "core-up",
        /// A core did not come up: a = core, b = PSCI error.
        CoreFailed = 3 "core-failed",
        /// A core's ledger word changed: a = core, b = state code << 8 | domain + 1 (0: no owner) | heir << 16 (0: the
        /// pool, 0xff: off, or domain + 1).
        CoreOwner = 4 "core-owner",
        /// A domain started: a = boot count.
        DomainStart = 5 "domain-start",
        /// A domain ended: a = kind of end.
        DomainEnd = 6 "domain-end",
        /// A domain starts again from its pristine image.
        DomainRestart = 7 "domain-restart",
        /// A context was switched on: a = its index in the domain, b = core.
        ContextOn = 8 "context-on",
        /// A context switched itself off: a = its index in the domain, b = core.
        ContextOff = 9 "context-off",
        /// A domain broke a rule: a = ESR_EL2, b = FAR_EL2. A [`FaultAt`](Self::FaultAt) follows.
        Fault = 10 "fault",
        /// The second half of a fault: a = program counter, b = number of the rule.
        FaultAt = 11 "fault-at",
        /// A domain reported a number: a = key, b = value.
        Metric = 12 "metric",
        /// The run is over: a = 1 pass, 0 fail.
        Verdict = 13 "verdict",
        /// Input for a domain's console arrived.
        ConsoleInput = 14 "console-input",
        /// An order for a core made a step: a = core | order << 16, b = 1 asked, 2 the guest is busy, 3 it refused, 4 the
        /// deadline passed, 5 taken, 6 given, 7 cancelled, 8 failed.
        CoreMove = 15 "core-move",
        /// A context goes on on another core of its domain: a = its index | the core it left << 16, b = core.
        ContextMove = 16 "context-move",
        /// The governor decided: a = core, or 0xffff; b = 1 give, 2 take, 3 hold | reason << 8 | load in permille << 16.
        Governor = 17 "governor",
        /// What a domain used in the last period of the governor: a = permille of all its cores, b = cores.
        Load = 18 "load",
        /// A member of a group failed, or was to take over (the record's domain): a = step, b = details. 1 detected: error |
        /// role << 8 | action << 16 | group << 24; 2 all its contexts stopped; 3 its rights are revoked; 4 the epoch was
        /// raised: epoch | group << 32; 5 a core was handed over: core; 6 promoted, and told so: epoch; 7 it serves: epoch; 8 it starts
        /// again as a standby; 9 it was restarted too often; 10 no standby was ready; 11 it is ready to take over; 12 a fault
        /// was injected: kind; 13 a checkpoint: dirty pages | nanoseconds of pause << 32; 14 it was rolled back: pages.
        Failover = 19 "failover",
    }
}
