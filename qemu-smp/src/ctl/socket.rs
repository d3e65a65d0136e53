//! Where the control socket is. The path of a socket may have about 100 bytes only; a longer one is taken by way of
//! the folder's open file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The longest path of a socket (sockaddr_un), less some.
const LONGEST: usize = 100;

/// The socket of the run in this folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

const NAME: &str = "control.sock";

/// Binds or connects a socket in the folder.
pub fn at<T>(folder: &Path, open: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = path(folder);
    if path.as_os_str().len() <= LONGEST {
        return open(&path);
    }
    let folder = File::open(folder)?;
    open(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME))
}
