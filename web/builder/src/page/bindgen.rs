//! wasm-bindgen, linked in: the page's module becomes a module and the JavaScript that loads it.

use std::fs;
use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::failure::{Failure, Result};

/// The page's files are called `highwater_web.js` and `highwater_web_bg.wasm`.
const NAME: &str = "highwater_web";

/// Writes the page's JavaScript and module for browsers into `folder`, emptied first.
///
/// # Errors
/// When the module was made by another version of wasm-bindgen, or files cannot be written.
pub fn run(module: &Path, folder: &Path) -> Result<()> {
    let is_newer = |made: &Path| {
        let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        time(made) > time(module)
            && time(made) > std::env::current_exe().ok().and_then(|me| time(&me))
    };
    let made = folder.join(format!("{NAME}_bg.wasm"));
    if is_newer(&made) {
        return Ok(());
    }
    eprintln!("highwater: binding the page's module to JavaScript");
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Failure::file("empty", folder))?;
    }
    let bind = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        Bindgen::new()
            .input_path(module)
            .out_name(NAME)
            .web(true)?
            .typescript(false)
            .omit_default_module_path(false)
            // Names are for debuggers, and as heavy as the code.
            .remove_name_section(true)
            .remove_producers_section(true)
            .generate(folder)?;
        Ok(())
    };
    bind().map_err(|cause| Failure::while_doing("wasm-bindgen", format_args!("{cause:#}")))
}
