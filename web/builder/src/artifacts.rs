//! The WebAssembly modules of the workspace: `engine.wasm`, the guests, the page.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::failure::{Failure, Result};
use crate::setup::{self, Code, TARGET};
use crate::workspace;

/// A package that becomes one WebAssembly module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    /// The package's name.
    package: String,
    /// The library's name, which names cargo's output.
    library: String,
    /// Where the module is put, under [`workspace::output`].
    place: PathBuf,
}

/// Builds every guest under `udfs/` and returns the folder that holds `swarm.wasm` and the others.
///
/// The first call in a process asks cargo, which does nothing when nothing changed.
///
/// # Errors
/// When the target cannot be set up or a guest does not compile.
pub fn guests() -> Result<PathBuf> {
    static DONE: OnceLock<Result<PathBuf>> = OnceLock::new();
    let build_all = || {
        let folder = workspace::output().join("udfs");
        let modules = find_guests(&workspace::root().join("udfs"))?;
        let _lock = workspace::lock("build")?;
        build("guests", Code::Guest, &modules)?;
        remove_others(&folder, &modules)?;
        for (path, module) in highwater_byhand::all() {
            workspace::write_if_changed(&workspace::output().join(path), &module)?;
        }
        Ok(folder)
    };
    DONE.get_or_init(build_all).clone()
}

/// Builds the engine as one module and returns the path of `engine.wasm`.
///
/// # Errors
/// When the target cannot be set up or the engine does not compile.
pub fn engine() -> Result<PathBuf> {
    static DONE: OnceLock<Result<PathBuf>> = OnceLock::new();
    DONE.get_or_init(|| build_one("highwater-engine", "highwater_engine", "engine.wasm")).clone()
}

/// Builds the page's module, before wasm-bindgen, and returns its path.
///
/// # Errors
/// When the target cannot be set up or the page does not compile.
pub fn page() -> Result<PathBuf> {
    static DONE: OnceLock<Result<PathBuf>> = OnceLock::new();
    DONE.get_or_init(|| build_one("highwater-web", "highwater_web", "page.wasm")).clone()
}

fn build_one(package: &str, library: &str, place: &str) -> Result<PathBuf> {
    let module =
        Module { package: package.into(), library: library.into(), place: PathBuf::from(place) };
    let _lock = workspace::lock("build")?;
    build(place, Code::Own, std::slice::from_ref(&module))?;
    Ok(workspace::output().join(&module.place))
}

/// Lets cargo bring the modules up to date, then copies what changed to its place.
fn build(what: &str, code: Code, modules: &[Module]) -> Result<()> {
    if modules.is_empty() {
        return fs::create_dir_all(workspace::output().join("udfs"))
            .map_err(Failure::file("make", &workspace::output()));
    }
    let toolchain = setup::toolchain()?;
    let names: Vec<_> = modules.iter().map(|module| module.package.as_str()).collect();
    eprintln!("highwater: building {what} for {TARGET}: {}", names.join(", "));
    for name in names {
        // As a cdylib alone: a Rust library beside it would keep everything that Rust could call.
        let mut cargo = toolchain.cargo(code);
        cargo.args(["rustc", "--profile", "wasm", "--target", TARGET, "--lib"]);
        cargo.args(["--crate-type", "cdylib", "--package", name]);
        workspace::run(&mut cargo)?;
    }
    for module in modules {
        let built = code
            .target()
            .join(TARGET)
            .join("wasm")
            .join(format!("{}.wasm", module.library.replace('-', "_")));
        let bytes = fs::read(&built).map_err(Failure::file("read", &built))?;
        workspace::write_if_changed(&workspace::output().join(&module.place), &bytes)?;
    }
    Ok(())
}

/// Every folder whose `Cargo.toml` asks for a `cdylib`, in the order of their names.
fn find_guests(udfs: &Path) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(udfs)
        .map_err(Failure::file("list", udfs))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    for folder in folders {
        let Ok(text) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        modules.extend(read_manifest(&text, Path::new("udfs").join(format!("{name}.wasm"))));
    }
    Ok(modules)
}

/// The module that a `Cargo.toml` describes, if its library is a `cdylib`.
///
/// Reads the three keys it needs as cargo writes them, one a line: a TOML library would be a dependency.
fn read_manifest(text: &str, place: PathBuf) -> Option<Module> {
    let (mut section, mut package, mut library, mut is_cdylib) = ("", None, None, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        match (section, key.trim()) {
            ("[package]", "name") => package = quoted(value),
            ("[lib]", "name") => library = quoted(value),
            ("[lib]", "crate-type") => is_cdylib = value.contains("\"cdylib\""),
            _ => {}
        }
    }
    let package = package?;
    is_cdylib.then(|| Module {
        library: library.unwrap_or_else(|| package.clone()),
        package,
        place,
    })
}

fn quoted(value: &str) -> Option<String> {
    Some(value.split('"').nth(1)?.to_owned())
}

/// Removes modules of guests that are gone, so that nothing finds them by accident.
fn remove_others(folder: &Path, modules: &[Module]) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Failure::file("list", folder))?.flatten() {
        let path = entry.path();
        let is_module = path.extension().is_some_and(|end| end == "wasm");
        let by_hand = [highwater_byhand::COUNTING_PATH, highwater_byhand::PAIRING_PATH];
        let is_module = is_module && !by_hand.iter().any(|own| path.ends_with(own));
        if is_module && !modules.iter().any(|module| module.place.file_name() == path.file_name()) {
            fs::remove_file(&path).map_err(Failure::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: &str = "\
[package]
name = \"highwater-swarm\"
version.workspace = true

[lib]
crate-type = [\"cdylib\", \"rlib\"]

[dependencies]
highwater-udf = { path = \"../sdk\", name = \"other\" }
";

    fn read(text: &str) -> Option<Module> {
        read_manifest(text, PathBuf::from("udfs/swarm.wasm"))
    }

    #[test]
    fn a_cdylib_is_a_guest() {
        let module = read(GUEST).expect("a guest");
        assert_eq!(module.package, "highwater-swarm");
        assert_eq!(module.library, "highwater-swarm");
        let named = GUEST.replace("[lib]", "[lib]\nname = \"swarm_window\"");
        assert_eq!(read(&named).expect("a guest").library, "swarm_window");
    }

    #[test]
    fn a_plain_library_is_none() {
        assert_eq!(read(&GUEST.replace("[\"cdylib\", \"rlib\"]", "[\"rlib\"]")), None);
        assert_eq!(read("[package]\nname = \"highwater-abi\"\n"), None);
    }

    #[test]
    fn every_folder_is_looked_at_in_order() {
        let folder = std::env::temp_dir().join(format!("highwater-udfs-{}", std::process::id()));
        for (name, text) in [("b", GUEST), ("a", GUEST), ("sdk", "[package]\nname = \"sdk\"\n")] {
            workspace::write_if_changed(&folder.join(name).join("Cargo.toml"), text.as_bytes())
                .expect("write");
        }
        workspace::write_if_changed(&folder.join("README.md"), b"no folder").expect("write");
        let places: Vec<_> =
            find_guests(&folder).expect("list").into_iter().map(|module| module.place).collect();
        assert_eq!(places, [Path::new("udfs/a.wasm"), Path::new("udfs/b.wasm")]);
        fs::remove_dir_all(folder).expect("clean");
    }
}
