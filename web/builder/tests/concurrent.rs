//! Several test processes may ask for the same module at once: each gets it whole.

use std::env;
use std::fs;
use std::process::{Child, Command};

use highwater_builder::artifacts;

const CHILD: &str = "HIGHWATER_CONCURRENT_CHILD";

#[test]
fn processes_that_ask_at_once_get_the_same_module() {
    let path = artifacts::engine().expect("the engine builds");
    let bytes = fs::read(&path).expect("it is there");
    assert!(bytes.starts_with(b"\0asm\x01\0\0\0"), "{} is WebAssembly", path.display());
    if env::var_os(CHILD).is_some() {
        return;
    }
    let me = env::current_exe().expect("our own path");
    let start = |_| {
        let mut command = Command::new(&me);
        command.args(["--exact", "processes_that_ask_at_once_get_the_same_module"]);
        command.env(CHILD, "1").spawn().expect("start")
    };
    let children: Vec<Child> = (0..3).map(start).collect();
    for mut child in children {
        assert!(child.wait().expect("wait").success());
    }
    assert_eq!(fs::read(&path).expect("still there"), bytes);
}
