//! What the server answers to whom: headers, types, hosts, paths. Pure, so that tests can be thorough.

use std::path::{Component, Path, PathBuf};

/// The Content-Security-Policy: our own files only, no inline script or style, WebAssembly allowed.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    worker-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of every answer, whatever its status.
pub const HEADERS: [(&str, &str); 6] = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    // Ask each time: a rebuilt page must never meet an old module. The ETag keeps that cheap.
    ("Cache-Control", "no-cache"),
];

/// The type a file is served as; `None` for files that are no part of a page.
pub fn mime(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json; charset=utf-8",
        "jsonl" => "application/jsonl; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "sql" | "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// Whether a request names us as its host.
///
/// A foreign page can make a browser look up its own name at 127.0.0.1 and then read our answers as
/// its own; the name in the request gives that away.
pub fn host_allowed(host: Option<&str>, port: u16) -> bool {
    let Some(host) = host else { return false };
    let Some((name, given)) = host.rsplit_once(':') else { return false };
    let is_ours =
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own));
    is_ours && given == port.to_string()
}

/// The file below the site that a request's target means, or `None` when it means no file of ours.
///
/// Every part must be an ordinary name: no parent, no hidden file, no other drive or stream.
pub fn resolve(target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut decoded = decode(path)?;
    if decoded.is_empty() || decoded.ends_with('/') {
        decoded.push_str("index.html");
    }
    for part in decoded.split('/') {
        if part.is_empty() || part.starts_with('.') || part.contains(['\\', ':']) {
            return None;
        }
        if part.chars().any(char::is_control) {
            return None;
        }
    }
    let path = PathBuf::from(decoded);
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(path)
}

/// Undoes percent-encoding; `None` when it is malformed or the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_paths_lead_to_a_file() {
        for (target, path) in [
            ("/", "index.html"),
            ("/?example=earthquakes.md#t=3", "index.html"),
            ("/engine.wasm", "engine.wasm"),
            ("/examples/", "examples/index.html"),
            ("/examples/earthquakes.ko.md", "examples/earthquakes.ko.md"),
            ("/a%20b.md", "a b.md"),
            ("/%EC%A7%80%EC%A7%84.md", "지진.md"),
            ("/a..b.md", "a..b.md"),
        ] {
            assert_eq!(resolve(target).as_deref(), Some(Path::new(path)), "{target}");
        }
        for target in [
            "",
            "engine.wasm",
            "http://example.org/",
            "/../Cargo.toml",
            "/examples/../../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/%2E%2E%2FCargo.toml",
            "/..%2fCargo.toml",
            "/..%5cCargo.toml",
            "/..\\Cargo.toml",
            "/.git/config",
            "/./engine.wasm",
            "//etc/passwd",
            "/examples//etc/passwd",
            "/%2fetc/passwd",
            "/c:/windows/win.ini",
            "/index.html::$DATA",
            "/a%00.md",
            "/a%0d%0aX: y",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/%+4",
        ] {
            assert_eq!(resolve(target), None, "{target}");
        }
    }

    #[test]
    fn only_our_own_names_with_the_port_are_hosts() {
        for host in ["127.0.0.1:4747", "localhost:4747", "LOCALHOST:4747", "[::1]:4747"] {
            assert!(host_allowed(Some(host), 4747), "{host}");
        }
        for host in [
            "127.0.0.1",
            "localhost",
            "127.0.0.1:4748",
            "localhost:04747",
            "localhost:+4747",
            "evil.example:4747",
            "localhost.evil.example:4747",
            "evil.example:80@localhost:4747",
            "127.0.0.2:4747",
            "",
            ":4747",
        ] {
            assert!(!host_allowed(Some(host), 4747), "{host}");
        }
        assert!(!host_allowed(None, 4747));
    }

    #[test]
    fn types_are_what_browsers_insist_on() {
        assert_eq!(mime(Path::new("engine.wasm")), Some("application/wasm"));
        assert_eq!(mime(Path::new("a/b.js")), Some("text/javascript; charset=utf-8"));
        assert_eq!(mime(Path::new("style.css")), Some("text/css; charset=utf-8"));
        assert_eq!(mime(Path::new("a.ko.md")), Some("text/markdown; charset=utf-8"));
        assert_eq!(mime(Path::new("lib.rs")), None);
        assert_eq!(mime(Path::new("wasm")), None);
    }

    #[test]
    fn the_policy_allows_no_inline_code() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe-inline"));
        assert!(!CONTENT_SECURITY_POLICY.contains("'unsafe-eval'"));
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'; script-src 'self'"));
        assert!(!CONTENT_SECURITY_POLICY.contains("  "), "the lines join with one space");
    }
}
