//! Where in the kernel the instructions were executed: by the function of Corral's own sources that each belongs to,
//! inlined or not.

use addr2line::Loader;
use qemu_smp::failure::{Code, Failure};
use std::{collections::BTreeMap, fmt::Write, path::Path};

/// Functions shown of an operation.
const SHOWN: usize = 16;

/// How often each address was executed.
pub type Places = BTreeMap<u64, u64>;

/// The kernel's source lines.
pub struct Lines {
    loader: Loader,
    known: BTreeMap<u64, String>,
}

impl Lines {
    /// Reads them from the executable that cargo built last, which lies beside this program's folder.
    pub fn read() -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::file("cannot find", Path::new("bench"), &error))?;
        let target = own.ancestors().nth(2).unwrap_or(Path::new(""));
        let path = target.join("aarch64-unknown-none-softfloat/bare/corral-kernel");
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::new(Code::Failed, format!("cannot read {}", path.display())).why(why.to_string())
        };
        Ok(Self { loader: Loader::new(&path).map_err(|why| cannot(&why))?, known: BTreeMap::new() })
    }

    /// File and function.
    fn owner(&mut self, address: u64) -> String {
        if let Some(known) = self.known.get(&address) {
            return known.clone();
        }
        let owner = find(&self.loader, address)
            .or_else(|| {
                self.loader.find_symbol(address).map(|name| addr2line::demangle_auto(name.into(), None).into_owned())
            })
            .unwrap_or_else(|| "assembly".to_owned());
        self.known.insert(address, owner.clone());
        owner
    }

    /// The functions with the most instructions of an operation that was done so many times.
    pub fn show(&mut self, places: &Places, times: usize) -> String {
        let mut functions: BTreeMap<String, u64> = BTreeMap::new();
        for (&address, count) in places {
            *functions.entry(self.owner(address)).or_default() += count;
        }
        let mut functions: Vec<_> = functions.into_iter().collect();
        functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut text = String::new();
        for (name, count) in functions.iter().take(SHOWN) {
            let _ = writeln!(text, "    {:>7.1}  {name}", *count as f64 / times.max(1) as f64);
        }
        text
    }
}

/// The innermost frame in one of the kernel's crates.
fn find(loader: &Loader, address: u64) -> Option<String> {
    const CRATES: [&str; 5] = ["kernel", "smp", "domains", "hotplug", "failover"];
    let mut frames = loader.find_frames(address).ok()?;
    while let Ok(Some(frame)) = frames.next() {
        let Some((folder, file)) = frame.location.and_then(|location| location.file?.rsplit_once("/src/")) else {
            continue;
        };
        let Some(name) = folder.rsplit('/').next().filter(|name| CRATES.contains(name)) else { continue };
        let function = frame.function.and_then(|function| function.demangle().ok().map(|name| short(&name)));
        return Some(format!("{name}/{file} {}", function.unwrap_or_default()));
    }
    None
}

/// The last words of a function's name, without the hash.
fn short(name: &str) -> String {
    let mut words: Vec<_> = name.split("::").collect();
    words.pop_if(|word| word.len() == 17 && word.starts_with('h'));
    let from = words.len().saturating_sub(2);
    words.get(from..).unwrap_or_default().join("::")
}
