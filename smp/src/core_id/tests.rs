//! Tests of identities.

use super::*;

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

#[test]
fn core_ids_end_at_the_maximum() {
    assert_eq!(CoreId::new(0).map(CoreId::index), Some(0));
    assert_eq!(CoreId::new(511).map(CoreId::index), Some(511));
    assert_eq!(CoreId::new(512), None);
    assert_eq!(CoreId::new(usize::MAX), None);
    assert_eq!(core(17).to_string(), "17");
}

#[test]
fn mpidr_keeps_the_affinity_fields_only() {
    // RES1 bit 31, U bit 30 and MT bit 24 are set, as in a real register.
    let mpidr = Mpidr::from_raw(0xffff_ff07_c102_0304);
    assert_eq!(mpidr.value(), 0x07_0002_0304);
    assert_eq!(Mpidr::from_raw(mpidr.value()), mpidr);
}
