//! Links the WebAssembly module tightly: without names, and without padding every address to five bytes.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |name| std::env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_ARCH") == "wasm32" && of("DEBUG") == "false" {
        // The profile's own `strip` never arrives: an override of the package's `opt-level` resets it.
        // Addresses are shortened only in what carries no debug information.
        println!("cargo::rustc-link-arg-cdylib=--strip-all");
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
