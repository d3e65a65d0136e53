//! The named tests are bugs that other hypervisors had.

use super::*;
use crate::control::Answer;
use crate::protocol::hypercall;

const NO_ARGUMENTS: [u64; 3] = [0; 3];

fn call(function: u32, [first, second, third]: [u64; 3]) -> Result<Call, PsciError> {
    decode(&[u64::from(function), first, second, third, 0, 0, 0, 0])
}

fn answer(function: u32, first: u64) -> Result<u64, PsciError> {
    match call(function, [first, 0, 0])? {
        Call::Answer([x0, 0, 0, 0]) => Ok(x0),
        other => panic!("{function:#x} is not answered at once: {other:?}"),
    }
}

fn switch_on(power: &CpuPower, address: u64, context_id: u64) -> Result<(), PsciError> {
    power.request_on()?.publish(Entry { address, context_id });
    Ok(())
}

#[test]
fn versions_and_kinds_are_answered() {
    assert_eq!(answer(0x8400_0000, 0), Ok(0x1_0001));
    assert_eq!(answer(0x8000_0000, 0), Ok(0x1_0001));
    assert_eq!(answer(0x8400_0006, 0), Ok(2));
    assert_eq!(answer(hypercall::VERSION, 0), Ok(0x1_0000));
    assert_eq!(call(hypercall::REVISION_CALL, NO_ARGUMENTS), Ok(Call::Answer([1, 0, 0, 0])));
    assert_eq!(call(hypercall::UID_CALL, NO_ARGUMENTS), Ok(Call::Answer(hypercall::UID_WORDS.map(u64::from))));
}

#[test]
fn features_are_exactly_what_is_answered() {
    let psci = (0x8400_0000..=0x8400_001F).chain(0xC400_0000..=0xC400_001F);
    for function in psci.chain([0x8000_0000]) {
        let implemented = call(function, NO_ARGUMENTS) != Err(PsciError::NotSupported)
            // Asking PSCI_FEATURES or about nothing is itself not an answer about the function.
            || function == 0x8400_000A;
        let expected = if implemented { Ok(SUCCESS) } else { Err(PsciError::NotSupported) };
        assert_eq!(answer(0x8400_000A, u64::from(function)), expected, "{function:#x}");
    }
    assert_eq!(answer(0x8400_000A, 0x8000_0001), Err(PsciError::NotSupported));
    assert_eq!(answer(0x8400_000A, 0xDEAD_BEEF), Err(PsciError::NotSupported));
}

#[test]
fn workarounds_that_are_not_there_are_not_found() {
    assert_eq!(answer(0x8000_0001, 0x8000_0000), Ok(SUCCESS));
    assert_eq!(answer(0x8000_0001, 0x8000_0001), Ok(SUCCESS));
    for workaround in [0x8000_8000, 0x8000_7FFF, 0x8000_3FFF, 0x8000_0002] {
        assert_eq!(answer(0x8000_0001, workaround), Err(PsciError::NotSupported));
        assert_eq!(call(workaround as u32, NO_ARGUMENTS), Err(PsciError::NotSupported));
    }
}

#[test]
fn corral_s_own_calls_are_decoded() {
    let registers = [u64::from(hypercall::CONSOLE_WRITE), 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(decode(&registers), Ok(Call::ConsoleWrite([3, 4, 5, 6, 7, 8, 9])));
    assert_eq!(call(hypercall::EXIT, [1 << 40, 0, 0]), Ok(Call::Exit(1 << 40)));
    assert_eq!(call(hypercall::REPORT, [1, 9, 0]), Ok(Call::Report(1, 9)));
    let enabled = Call::IrqEnable(31, 255);
    assert_eq!(call(hypercall::IRQ_ENABLE, [31, 255, 0]), Ok(enabled));
    for bad in [[32, 0, 0], [u64::MAX, 0, 0], [27, 256, 0]] {
        assert_eq!(call(hypercall::IRQ_ENABLE, bad), Err(PsciError::InvalidParameters));
    }
}

#[test]
fn calls_about_cores_are_decoded() {
    assert_eq!(call(hypercall::CORES, NO_ARGUMENTS), Ok(Call::Cores));
    assert_eq!(call(hypercall::CORE_REQUEST, NO_ARGUMENTS), Ok(Call::CoreRequest));
    let answer = |context, answer| Ok(Call::CoreAnswer(context, answer));
    assert_eq!(call(hypercall::CORE_ANSWER, [3, hypercall::CORE_BUSY, 0]), answer(3, Answer::Busy));
    assert_eq!(call(hypercall::CORE_ANSWER, [u64::MAX, hypercall::CORE_REFUSED, 0]), answer(u64::MAX, Answer::Refused));
    for bad in [0, 3, 1 << 32 | 1, u64::MAX] {
        assert_eq!(call(hypercall::CORE_ANSWER, [3, bad, 0]), Err(PsciError::InvalidParameters));
    }
    let order = Call::CoreOrder(5, hypercall::TO_OFF, 1 << 40);
    assert_eq!(call(hypercall::CORE_ORDER, [5, 0xfffe, 1 << 40]), Ok(order));
}

#[test]
fn stolen_time_is_found_the_way_linux_looks_for_it() {
    assert_eq!(answer(0x8000_0001, 0xC500_0020), Ok(SUCCESS));
    assert_eq!(answer(0xC500_0020, 0xC500_0020), Ok(SUCCESS));
    // A 32-bit function may come sign-extended.
    assert_eq!(answer(0xC500_0020, 0xFFFF_FFFF_C500_0021), Ok(SUCCESS));
    assert_eq!(call(0xC500_0021, NO_ARGUMENTS), Ok(Call::PvTimeStructure));
    for other in [0, 0xC500_0022, 0x8500_0020] {
        assert_eq!(call(0xC500_0020, [other, 0, 0]), Err(PsciError::NotSupported));
        assert_eq!(call(other as u32, NO_ARGUMENTS), Err(PsciError::NotSupported));
    }
    // Stolen time is not asked for here, but by its own call.
    assert_eq!(answer(0x8000_0001, 0xC500_0021), Err(PsciError::NotSupported));
}

#[test]
fn suspend_takes_the_original_format_only() {
    for good in [0, 0xFFFF, 0x1_0000, 0x0301_FFFF] {
        assert_eq!(call(0xC400_0001, [good, 0, 0]), Ok(Call::CpuSuspend));
    }
    for bad in [0x8000_0000, 0x0400_0000, 0x2_0000] {
        assert_eq!(call(0xC400_0001, [bad, 0, 0]), Err(PsciError::InvalidParameters));
        assert_eq!(call(0x8400_0001, [bad, 0, 0]), Err(PsciError::InvalidParameters));
    }
}

#[test]
fn reset2_knows_the_warm_reset_and_the_vendor_s() {
    for function in [0x8400_0012, 0xC400_0012] {
        assert_eq!(call(function, [0, 7, 0]), Ok(Call::SystemReset));
        assert_eq!(call(function, [0x8000_0000, 0, 0]), Ok(Call::SystemReset));
        assert_eq!(call(function, [0xFFFF_FFFF, 0, 0]), Ok(Call::SystemReset));
        assert_eq!(call(function, [1, 0, 0]), Err(PsciError::InvalidParameters));
        assert_eq!(call(function, [0x7FFF_FFFF, 0, 0]), Err(PsciError::InvalidParameters));
    }
}

#[test]
fn affinity_info_of_more_than_one_cpu_is_refused() {
    assert_eq!(call(0xC400_0004, [5, 0, 0]), Ok(Call::AffinityInfo(5)));
    assert_eq!(call(0xC400_0004, [5, 1, 0]), Err(PsciError::InvalidParameters));
    assert_eq!(call(0x8400_0004, [5, 3, 0]), Err(PsciError::InvalidParameters));
}

#[test]
fn errors_are_negative_in_w0_and_in_x0() {
    for (error, code) in [
        (PsciError::NotSupported, -1),
        (PsciError::InvalidParameters, -2),
        (PsciError::Denied, -3),
        (PsciError::AlreadyOn, -4),
        (PsciError::OnPending, -5),
        (PsciError::InvalidAddress, -9),
    ] {
        assert_eq!(to_x0(error) as i64, code);
        assert_eq!(to_x0(error) as i32, code as i32);
    }
}

/// No register values make it panic, and every function that is not listed is refused.
#[test]
fn any_registers_are_answered() {
    let mut random = 0x1234_5678_9abc_def0_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for function in (0..=0x20).chain(0xFF00..=0xFF10) {
        for range in [0, 0x8000_0000, 0x8400_0000, 0x8600_0000, 0xC400_0000, 0xC600_0000_u64] {
            let mut registers = [0; 8].map(|_: u64| next());
            registers[0] = next() << 32 | range | function;
            let _ = decode(&registers);
        }
    }
}

#[test]
fn peer_bug_unknown_smc_returns_success() {
    for function in [
        0x8400_0005,
        0x8400_0007,
        0x8400_000B,
        0x8400_000E,
        0xC400_0002,
        0x8500_0000,
        0xC600_000B,
        0xC600_FFFF,
        0x8600_FF00,
        0xBF00_FF01,
        0x0400_0000,
        0,
        u32::MAX,
    ] {
        assert_eq!(call(function, NO_ARGUMENTS), Err(PsciError::NotSupported), "{function:#x}");
    }
    assert_eq!(to_x0(PsciError::NotSupported), u64::MAX);
}

#[test]
fn peer_bug_smc32_uses_the_upper_register_halves() {
    let dirt = 0xFFFF_FFFF_0000_0000;
    let on = |function: u32| decode(&[dirt | u64::from(function), dirt | 1, dirt | 2, dirt | 3, 0, 0, 0, 0]);
    assert_eq!(on(0x8400_0003), Ok(Call::CpuOn(1, Entry { address: 2, context_id: 3 })));
    let whole = Call::CpuOn(dirt | 1, Entry { address: dirt | 2, context_id: dirt | 3 });
    assert_eq!(on(0xC400_0003), Ok(whole));
    assert_eq!(call(0x8400_0004, [dirt, dirt, 0]), Ok(Call::AffinityInfo(0)));
    // Arguments of 32 bits stay so in 64-bit functions.
    assert_eq!(call(0xC400_0004, [1, dirt, 0]), Ok(Call::AffinityInfo(1)));
    assert_eq!(call(0xC400_0001, [dirt, 0, 0]), Ok(Call::CpuSuspend));
    assert_eq!(call(0xC400_0012, [dirt, 0, 0]), Ok(Call::SystemReset));
    assert_eq!(answer(0x8400_000A, dirt | 0x8400_0002), Ok(SUCCESS));
}

#[test]
fn peer_bug_context_id_is_dropped() {
    let decoded = call(0xC400_0003, [0x101, 0x4008_0000, 0xfeed]);
    let expected = Call::CpuOn(0x101, Entry { address: 0x4008_0000, context_id: 0xfeed });
    assert_eq!(decoded, Ok(expected));
    let power = CpuPower::default();
    switch_on(&power, 0x4008_0000, 0xfeed).unwrap();
    assert_eq!(power.begin(), Some(Entry { address: 0x4008_0000, context_id: 0xfeed }));
}

#[test]
fn peer_bug_unknown_or_sparse_mpidr_indexes_out_of_bounds() {
    for contexts in [1, 4, 16, 17, 123] {
        for context in 0..contexts {
            assert_eq!(context_of(affinity_of(context), contexts), Some(context));
        }
        // `>` where `>=` was meant.
        assert_eq!(context_of(affinity_of(contexts), contexts), None);
    }
    // Holes in Aff0, other levels, flag bits, and what would wrap round.
    for sparse in [0x10, 0xff, 0x1_0000, 1 << 32, 1 << 31, 1 << 24, 1 << 40, u64::MAX, !0xff] {
        assert_eq!(context_of(sparse, 123), None, "{sparse:#x}");
    }
    assert_eq!(affinity_of(17), 0x101);
}

#[test]
fn peer_bug_cpu_on_wakes_a_core_of_another_partition() {
    // A target is an index among the caller's own contexts, and nothing else.
    assert_eq!(context_of(2, 2), None);
    assert_eq!(context_of(1, 2), Some(1));
}

#[test]
fn peer_bug_cpu_on_changes_the_callers_state_instead_of_the_targets() {
    let [caller, target] = [CpuPower::default(), CpuPower::default()];
    switch_on(&caller, 1, 0).unwrap();
    caller.begin().unwrap();
    switch_on(&target, 2, 0).unwrap();
    assert_eq!(caller.affinity_info(), AffinityState::On);
    assert_eq!(target.affinity_info(), AffinityState::OnPending);
}

#[test]
fn peer_bug_affinity_info_always_says_on() {
    let power = CpuPower::default();
    assert_eq!(power.affinity_info(), AffinityState::Off);
    let ticket = power.request_on().unwrap();
    assert_eq!(power.affinity_info(), AffinityState::OnPending);
    ticket.publish(Entry { address: 1, context_id: 0 });
    assert_eq!(power.affinity_info(), AffinityState::OnPending);
    power.begin().unwrap();
    assert_eq!(power.affinity_info(), AffinityState::On);
    power.off();
    assert_eq!(power.affinity_info(), AffinityState::Off);
    let codes = [AffinityState::On, AffinityState::Off, AffinityState::OnPending].map(|it| it as u64);
    assert_eq!(codes, [0, 1, 2]);
}

#[test]
fn peer_bug_full_queue_leaves_the_target_pending_for_ever() {
    let power = CpuPower::default();
    drop(power.request_on().unwrap());
    assert_eq!(power.affinity_info(), AffinityState::Off);
    assert_eq!(power.begin(), None);
    switch_on(&power, 1, 0).unwrap();
}

#[test]
fn peer_bug_two_cpu_ons_both_succeed() {
    let power = CpuPower::default();
    let ticket = power.request_on().unwrap();
    assert_eq!(power.request_on().err(), Some(PsciError::OnPending));
    ticket.publish(Entry { address: 1, context_id: 0 });
    assert_eq!(power.request_on().err(), Some(PsciError::OnPending));
    assert!(power.begin().is_some());
    assert_eq!(power.begin(), None);
    assert_eq!(power.request_on().err(), Some(PsciError::AlreadyOn));
}

#[test]
fn peer_bug_cpu_on_waits_for_the_targets_answer() {
    // The target does nothing in this test, and CPU_ON is done nevertheless.
    switch_on(&CpuPower::default(), 1, 0).unwrap();
}

#[test]
fn peer_bug_on_pending_is_lost_when_cpu_off_races() {
    let power = CpuPower::default();
    switch_on(&power, 1, 0).unwrap();
    power.off();
    assert_eq!(power.affinity_info(), AffinityState::OnPending);
    assert!(power.begin().is_some());
}

#[test]
fn peer_bug_off_is_recorded_although_denied() {
    let power = CpuPower::default();
    switch_on(&power, 1, 0).unwrap();
    power.begin().unwrap();
    assert_eq!(power.request_on().err(), Some(PsciError::AlreadyOn));
    assert_eq!(power.affinity_info(), AffinityState::On);
}

#[test]
fn peer_bug_cpu_off_panics_and_cpu_on_fails_after_it() {
    assert_eq!(call(0x8400_0002, [u64::MAX; 3]), Ok(Call::CpuOff));
    let power = CpuPower::default();
    for round in 0..100 {
        switch_on(&power, round, !round).unwrap();
        assert_eq!(power.begin(), Some(Entry { address: round, context_id: !round }));
        power.off();
        power.off();
        assert_eq!(power.affinity_info(), AffinityState::Off);
    }
}

#[test]
fn peer_bug_boot_cpu_cannot_be_switched_off() {
    // The boot context starts like every other, so it stops like every other.
    let boot = CpuPower::default();
    switch_on(&boot, 0x4000_0000, 0x4800_0000).unwrap();
    boot.begin().unwrap();
    boot.off();
    assert_eq!(boot.affinity_info(), AffinityState::Off);
    switch_on(&boot, 0x4100_0000, 7).unwrap();
    assert_eq!(boot.begin(), Some(Entry { address: 0x4100_0000, context_id: 7 }));
}

#[test]
fn peer_bug_system_off_halts_the_machine_and_system_reset_does_nothing() {
    // Both are calls of their own, which the kernel carries out on the calling domain.
    assert_eq!(call(0x8400_0008, NO_ARGUMENTS), Ok(Call::SystemOff));
    assert_eq!(call(0x8400_0009, NO_ARGUMENTS), Ok(Call::SystemReset));
}

#[test]
fn peer_bug_entry_state_is_not_reset_when_a_domain_restarts() {
    let on = CpuPower::default();
    switch_on(&on, 1, 2).unwrap();
    on.begin().unwrap();
    let pending = CpuPower::default();
    switch_on(&pending, 3, 4).unwrap();
    for power in [&on, &pending] {
        power.reset();
        assert_eq!(power.affinity_info(), AffinityState::Off);
        assert_eq!(power.begin(), None);
        switch_on(power, 5, 6).unwrap();
        assert_eq!(power.begin(), Some(Entry { address: 5, context_id: 6 }));
    }
}
