//! The `highwater` command.

mod cli;

use std::process::ExitCode;

/// Result columns come and go by the hundred kilobytes, every few milliseconds: the system's allocator
/// hands such pages back at once and has them zeroed again, a fifth of the time of a hopping window.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Memory that is free goes back to the system after this long, milliseconds.
const KEEP_FREE: std::ffi::c_long = 1000;

fn main() -> ExitCode {
    keep_free();
    // Parsers and planners recurse as deep as the user's text nests; the first thread's stack is a
    // matter of the system's settings, ours is not.
    let work = std::thread::Builder::new().stack_size(64 << 20).spawn(cli::main);
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // A panic has printed its own message.
        Ok(Err(_)) => ExitCode::from(101),
        Err(error) => {
            eprintln!("error: cannot start a thread: {error}");
            ExitCode::from(2)
        }
    }
}

#[allow(unsafe_code)]
fn keep_free() {
    // `mi_option_purge_delay` in mimalloc.h; the binding names only some of the options.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: the function stores a number for an option it checks to exist; no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEEP_FREE) }
}

/// Has the allocator give what is free back to the system at once, as far as it is this thread's.
#[allow(unsafe_code)]
fn give_back() {
    // SAFETY: the function looks through the calling thread's heap and touches nothing that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
