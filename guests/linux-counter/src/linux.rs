//! What the program asks of Linux: its start, and system calls (arm64: number in x8, arguments from x0, answer in x0).

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};
use core::fmt;
use core::panic::PanicInfo;

const OPENAT: u64 = 56;
const LSEEK: u64 = 62;
const READ: u64 = 63;
const WRITE: u64 = 64;
const PREAD64: u64 = 67;
const PWRITE64: u64 = 68;
const PPOLL: u64 = 73;
const EXIT_GROUP: u64 = 94;
const CLOCK_GETTIME: u64 = 113;

const AT_FDCWD: u64 = -100i64 as u64;
const O_RDONLY: u64 = 0;
const O_RDWR: u64 = 2;
/// As arm64 has it.
const O_DIRECT: u64 = 0o200_000;
const SEEK_END: u64 = 2;
const CLOCK_MONOTONIC: u64 = 1;
const POLLIN: u16 = 1;
const NS_PER_SECOND: u64 = 1_000_000_000;

/// File descriptors that every program has.
const INPUT: u32 = 0;
const OUTPUT: u32 = 1;

/// A system call failed: errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What O_DIRECT reads and writes.
#[repr(C, align(512))]
pub struct Sector(pub [u64; Sector::WORDS]);

impl Sector {
    pub const BYTES: u64 = 512;
    pub const WORDS: usize = 64;
}

/// A block device that is read and written past the page cache.
#[derive(Clone, Copy, Debug)]
pub struct Disk(u32);

impl Disk {
    /// Opens it for reading and writing, or where that is not allowed for reading.
    pub fn open(path: &CStr) -> Result<Self, Errno> {
        let open = |mode: u64| {
            // SAFETY: the path ends with a 0; nothing is written.
            unsafe { call(OPENAT, [AT_FDCWD, path.as_ptr() as u64, mode | O_DIRECT, 0]) }
        };
        open(O_RDWR).or_else(|_| open(O_RDONLY)).map(|file| Self(file as u32))
    }

    pub fn bytes(self) -> Result<u64, Errno> {
        // SAFETY: no memory is involved.
        unsafe { call(LSEEK, [u64::from(self.0), 0, SEEK_END, 0]) }
    }

    pub fn read(self, sector: u64) -> Result<Sector, Errno> {
        let mut buffer = Sector([0; Sector::WORDS]);
        // SAFETY: the buffer has that many bytes, which may have any value.
        let read =
            unsafe { call(PREAD64, [self.0.into(), (&raw mut buffer) as u64, Sector::BYTES, sector * Sector::BYTES]) };
        complete(read).map(|()| buffer)
    }

    pub fn write(self, sector: u64, buffer: &Sector) -> Result<(), Errno> {
        // SAFETY: the buffer has that many bytes, which are only read.
        let written = unsafe {
            call(PWRITE64, [self.0.into(), (&raw const *buffer) as u64, Sector::BYTES, sector * Sector::BYTES])
        };
        complete(written)
    }
}

fn complete(answer: Result<u64, Errno>) -> Result<(), Errno> {
    const EIO: Errno = Errno(5);
    match answer? {
        Sector::BYTES => Ok(()),
        _ => Err(EIO),
    }
}

/// Completes what was loaded and stored before.
pub fn barrier() {
    // SAFETY: a barrier.
    unsafe { asm!("dmb ish", options(nostack)) };
}

/// Waits until there is input, at most so long; whether there is.
pub fn wait_for_input(ns: u64) -> bool {
    #[repr(C)]
    struct PollFd {
        file: u32,
        events: u16,
        found: u16,
    }
    let mut poll = PollFd { file: INPUT, events: POLLIN, found: 0 };
    let time = [ns / NS_PER_SECOND, ns % NS_PER_SECOND];
    // SAFETY: one `struct pollfd`, which is written; a `struct timespec`, which is read; no signal mask.
    let ready = unsafe { call(PPOLL, [(&raw mut poll) as u64, 1, (&raw const time) as u64, 0]) };
    ready == Ok(1)
}

/// Reads what there is on standard input; how many bytes.
pub fn read_input(buffer: &mut [u8]) -> usize {
    // SAFETY: the buffer has that many bytes.
    let read = unsafe { call(READ, [INPUT.into(), buffer.as_mut_ptr() as u64, buffer.len() as u64, 0]) };
    read.map_or(0, |count| count as usize)
}

/// Writes a line to standard output by one call, so that lines of several programs do not mix.
pub fn print_line(arguments: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 128], used: 0 };
    // What has no room is left out.
    let _ = fmt::write(&mut line, arguments);
    let end = line.used.min(line.bytes.len() - 1);
    line.bytes[end] = b'\n';
    // SAFETY: the bytes are there; they are only read.
    let _ = unsafe { call(WRITE, [OUTPUT.into(), line.bytes.as_ptr() as u64, end as u64 + 1, 0]) };
}

struct Line {
    bytes: [u8; 128],
    used: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.used..self.used + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}

/// Nanoseconds since some time before the start.
pub fn now_ns() -> u64 {
    let mut time = [0u64; 2];
    // SAFETY: a `struct timespec`.
    let _ = unsafe { call(CLOCK_GETTIME, [CLOCK_MONOTONIC, (&raw mut time) as u64, 0, 0]) };
    let [seconds, ns] = time;
    seconds * NS_PER_SECOND + ns
}

pub fn exit(code: u64) -> ! {
    loop {
        // SAFETY: no memory is involved.
        let _ = unsafe { call(EXIT_GROUP, [code, 0, 0, 0]) };
    }
}

/// # Safety
/// The arguments that the call takes for addresses are those of memory that it may access in its way.
unsafe fn call(number: u64, arguments: [u64; 4]) -> Result<u64, Errno> {
    const ERRORS: core::ops::Range<i64> = -4095..0;
    let [x0, x1, x2, x3] = arguments;
    let answer: i64;
    // SAFETY: the caller's. The kernel preserves all other registers.
    unsafe {
        asm!(
            "svc #0",
            inout("x0") x0 as i64 => answer,
            in("x1") x1, in("x2") x2, in("x3") x3, in("x4") 0, in("x8") number,
            options(nostack),
        );
    }
    if ERRORS.contains(&answer) { Err(Errno(-answer as i32)) } else { Ok(answer as u64) }
}

/// The words of the command line, the program's name first.
#[derive(Clone, Copy)]
pub struct Words {
    count: usize,
    words: *const *const c_char,
}

impl Words {
    pub fn get(self, index: usize) -> Option<&'static CStr> {
        if index >= self.count {
            return None;
        }
        // SAFETY: Linux put `count` pointers to strings there, which stay for as long as the program runs.
        unsafe { Some(CStr::from_ptr(*self.words.add(index))) }
    }
}

// Linux starts a program with the number of words at the stack pointer, and the pointers to them behind it.
global_asm!(
    r#"
    .section .text.entry, "ax"
    .global _start
_start:
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, sp
    b       {start}
"#,
    start = sym start,
);

extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: as above.
    let words = unsafe { Words { count: *stack, words: stack.add(1).cast() } };
    exit(crate::program::main(words))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print_line(format_args!("panic: {info}"));
    exit(101)
}
