//! Links the guest with the runtime's linker script.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../rt/guest.ld");
        println!("cargo:rustc-link-arg-bins=-T{script}");
        println!("cargo:rerun-if-changed={script}");
    }
}
