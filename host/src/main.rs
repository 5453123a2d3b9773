//! The `highwater` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
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
