//! Reading rings out of a memory file that a machine is writing to.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smp::core_id::MAX_CORES;
use smp::trace::exits::DOMAINS;
use smp::trace::{ExitReason, Exits, Header, Record, Ring};
use trace_reader::HeaderFields;

use super::wire::{self, Snapshot};
use super::{ExitTable, Trace};

/// How often the rings are emptied.
const PERIOD: Duration = Duration::from_millis(50);

/// The last page of the memory holds the header.
const HEADER_PAGE: u64 = 4096;

/// A core's area: first the exits, then the ring.
const EXITS_BYTES: usize = size_of::<Exits>();
const RING_BYTES: usize = size_of::<Ring>();

/// More records than this are counted as lost: a runaway kernel must not fill the host's memory.
const MOST_RECORDS: usize = 1 << 21;

/// Empties the rings, once or again and again.
#[derive(Debug)]
pub struct Collector {
    file: File,
    bytes: u64,
    header: Option<HeaderFields>,
    /// By core, the number of the record to go on with.
    next: Vec<u64>,
    records: Vec<Record>,
    lost: u64,
    ring: Vec<u8>,
}

impl Collector {
    /// A reader of a memory file with this many bytes.
    pub fn new(file: File, bytes: u64) -> Self {
        Self { file, bytes, header: None, next: Vec::new(), records: Vec::new(), lost: 0, ring: vec![0; RING_BYTES] }
    }

    /// Reads what is new. Until the kernel has written its header, there is nothing.
    pub fn poll(&mut self) {
        let Some(header) = self.find_header() else {
            return;
        };
        for core in 0..self.next.len() {
            self.poll_core(&header, core);
        }
    }

    /// What was read since the last call, by time, with the kernel's clock; `None` until there is a header.
    pub fn drain(&mut self) -> Option<(HeaderFields, Vec<Record>)> {
        let mut records = std::mem::take(&mut self.records);
        records.sort_by_key(|record| record.time);
        Some((self.header?, records))
    }

    /// How many records were overwritten before they could be read.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The whole trace; `None` if the kernel never came as far as to write a header. The machine
    /// has stopped.
    pub fn finish(mut self) -> Option<Trace> {
        self.poll();
        let header = self.header?;
        let mut exits: Box<ExitTable> = Box::new([[0; ExitReason::COUNT]; DOMAINS]);
        let mut bytes = vec![0; EXITS_BYTES];
        for core in 0..self.next.len() {
            let table = area(&header, core)
                .and_then(|offset| self.file.read_exact_at(&mut bytes, offset).ok())
                .and_then(|()| wire::exits(&bytes));
            let Some(table) = table else { continue };
            for (sum, count) in exits.iter_mut().flatten().zip(table.iter().flatten()) {
                *sum = sum.saturating_add(*count);
            }
        }
        self.records.sort_by_key(|record| record.time);
        Some(Trace { header, records: self.records, lost: self.lost, exits })
    }

    fn find_header(&mut self) -> Option<HeaderFields> {
        if self.header.is_none() {
            let mut bytes = [0; size_of::<Header>()];
            let offset = self.bytes.checked_sub(HEADER_PAGE)?;
            self.file.read_exact_at(&mut bytes, offset).ok()?;
            let header = wire::header(&bytes)?;
            self.header = self.fits(&header).then_some(header);
            self.next = vec![0; self.header?.cores as usize];
        }
        self.header
    }

    /// Whether every area lies in the file.
    fn fits(&self, header: &HeaderFields) -> bool {
        let cores = header.cores as usize;
        let end = cores
            .checked_sub(1)
            .and_then(|last| area(header, last))
            .and_then(|start| start.checked_add((EXITS_BYTES + RING_BYTES) as u64));
        cores <= MAX_CORES && end.is_some_and(|end| end <= self.bytes)
    }

    fn poll_core(&mut self, header: &HeaderFields, core: usize) {
        let Some(offset) = area(header, core) else {
            return;
        };
        let offset = offset + EXITS_BYTES as u64;
        let Some(from) = self.next.get_mut(core) else {
            return;
        };
        let head = |file: &File| {
            let mut head = [0; 8];
            file.read_exact_at(&mut head, offset).ok()?;
            wire::head(&head)
        };
        let Some(head_before) = head(&self.file).filter(|head| head != from) else {
            return;
        };
        if self.file.read_exact_at(&mut self.ring, offset).is_err() {
            return;
        }
        let Some(head_after) = head(&self.file) else {
            return;
        };
        let snapshot = Snapshot { head_before, bytes: &self.ring, head_after };
        let (records, lost) = (&mut self.records, &mut self.lost);
        let progress = snapshot.read(*from, |record| {
            if records.len() < MOST_RECORDS {
                records.push(record);
            } else {
                *lost += 1;
            }
        });
        if let Some(progress) = progress {
            *from = progress.next;
            self.lost += progress.lost;
        }
    }
}

/// Where in the file a core's area is.
fn area(header: &HeaderFields, core: usize) -> Option<u64> {
    header.area_base.checked_sub(header.ram_base)?.checked_add(header.area_stride.checked_mul(core as u64)?)
}

/// A collector at work on a thread of its own.
#[derive(Debug)]
pub struct Recorder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Collector>,
}

impl Recorder {
    /// Starts to record.
    pub fn start(mut collector: Collector) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                collector.poll();
                thread::park_timeout(PERIOD);
            }
            collector
        });
        Self { stop, thread }
    }

    /// Ends after the machine has stopped, with everything that it recorded.
    pub fn finish(self) -> Option<Trace> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().ok()?.finish()
    }
}
