use super::*;
use domains::protocol::hypercall;

#[test]
fn console_bytes_survive_the_registers() {
    for length in 0..=CONSOLE_WRITE_MAX {
        let bytes: Vec<u8> = (1..=length as u8).collect();
        let (unpacked, count) = hypercall::unpack(&pack(&bytes)).unwrap();
        assert_eq!(&unpacked[..count], bytes);
    }
    assert_eq!(pack(&[7; 60])[0], 48);
}
