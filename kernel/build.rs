//! Hands the linker script to the linker, for the EL2 target only.

fn main() {
    println!("cargo::rerun-if-changed=kernel.ld");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-T{folder}/kernel.ld");
        println!("cargo::rustc-link-arg-bins=--no-rosegment");
    }
}
