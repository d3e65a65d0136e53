//! The arguments of the call that writes to the console.

use domains::protocol::hypercall::CONSOLE_WRITE_MAX;

#[cfg(test)]
mod tests;

/// Up to [`CONSOLE_WRITE_MAX`] bytes as the values of x1 to x7; bytes beyond that are left out,
/// as x1 then says.
pub fn pack(bytes: &[u8]) -> [u64; 7] {
    let mut padded = [0; CONSOLE_WRITE_MAX];
    let mut length = 0;
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
        length = u64::wrapping_add(length, 1);
    }
    let mut registers = [length, 0, 0, 0, 0, 0, 0];
    for (register, bytes) in registers.iter_mut().skip(1).zip(padded.as_chunks().0) {
        *register = u64::from_le_bytes(*bytes);
    }
    registers
}
