//! Opens flattened device trees that may be malformed.

use dtoolkit::error::FdtParseError;
use dtoolkit::fdt::Fdt;

#[cfg(test)]
mod tests;

/// The tree at the start of `blob`; what follows it is ignored.
///
/// The crate walks the whole tree once, and then reads it without panicking.
pub fn open(blob: &[u8]) -> Result<Fdt<'_>, FdtParseError> {
    let total = blob.get(4..).and_then(<[u8]>::first_chunk).map(|size| u32::from_be_bytes(*size) as usize);
    Fdt::new(total.and_then(|total| blob.get(..total)).unwrap_or(blob))
}
