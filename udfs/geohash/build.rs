//! A guest declares how large its memory may grow, and keeps its stack small.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--max-memory=4194304");
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=65536");
    }
}
