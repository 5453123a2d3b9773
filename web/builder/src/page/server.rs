//! The page's server: one folder, to this machine only, several requests at once.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tiny_http::{Header, Method, Request, Response};

use super::policy;
use crate::failure::{Failure, Result};

/// The port `play` asks for first.
pub const PORT: u16 = 4747;

const WORKERS: usize = 8;

/// Files that lie in no folder: paths, and their texts.
pub type Extra = &'static [(&'static str, &'static str)];

/// A running server; it stops when dropped.
pub struct Server {
    inner: Arc<tiny_http::Server>,
    workers: Vec<JoinHandle<()>>,
    address: SocketAddr,
}

impl Server {
    /// Serves `folder` on the first free port of `ports`; port 0 lets the system choose.
    ///
    /// # Errors
    /// When none of the ports is free or the folder is missing.
    pub fn start(folder: &Path, ports: impl IntoIterator<Item = u16>) -> Result<Server> {
        Server::start_with(folder, &[], ports)
    }

    /// As [`Server::start`], with more files, which lie in no folder: their paths and texts.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(
        folder: &Path,
        extra: Extra,
        ports: impl IntoIterator<Item = u16>,
    ) -> Result<Server> {
        let folder = fs::canonicalize(folder).map_err(Failure::file("open", folder))?;
        let mut refused = Failure::new("no port to serve on");
        for port in ports {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => return Server::listen(&folder, extra, listener),
                Err(cause) => refused = Failure::while_doing(format_args!("port {port}"), cause),
            }
        }
        Err(refused)
    }

    fn listen(folder: &Path, extra: Extra, listener: TcpListener) -> Result<Server> {
        let address = listener
            .local_addr()
            .map_err(|cause| Failure::while_doing("the server's port", cause))?;
        let inner = tiny_http::Server::from_listener(listener, None)
            .map_err(|cause| Failure::while_doing("the server", cause))?;
        let inner = Arc::new(inner);
        let workers = (0..WORKERS)
            .map(|_| {
                let (inner, folder) = (Arc::clone(&inner), folder.to_owned());
                thread::spawn(move || {
                    while let Ok(request) = inner.recv() {
                        answer(request, &folder, extra, address.port());
                    }
                })
            })
            .collect();
        Ok(Server { inner, workers, address })
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        for worker in self.workers.drain(..) {
            // A worker that died leaves the others serving.
            let _ = worker.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in &self.workers {
            self.inner.unblock();
        }
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

/// What is sent back.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn text(status: u16, text: &str) -> Answer {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Answer { status, headers, body: format!("{text}\n").into_bytes() }
    }
}

fn answer(request: Request, folder: &Path, extra: Extra, port: u16) {
    let field = |name: &'static str| {
        let found = request.headers().iter().find(|header| header.field.equiv(name));
        found.map(|header| header.value.as_str().to_owned())
    };
    let answer = if !policy::host_allowed(field("Host").as_deref(), port) {
        Answer::text(403, "This server answers to 127.0.0.1 and localhost only.")
    } else if !matches!(request.method(), Method::Get | Method::Head) {
        let mut answer = Answer::text(405, "This server only gives files.");
        answer.headers.push(("Allow", "GET, HEAD".to_owned()));
        answer
    } else {
        file(folder, extra, request.url(), field("If-None-Match").as_deref())
    };
    let mut response = Response::new(
        answer.status.into(),
        Vec::new(),
        Cursor::new(&answer.body),
        Some(answer.body.len()),
        None,
    );
    let fixed = policy::HEADERS.iter().map(|(name, value)| (*name, *value));
    let own = answer.headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in fixed.chain(own) {
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    // A visitor who has gone away is no concern of ours.
    let _ = request.respond(response);
}

fn file(folder: &Path, extra: Extra, target: &str, known: Option<&str>) -> Answer {
    let found = policy::resolve(target).and_then(|path| {
        let more = extra.iter().find(|(name, _)| Path::new(name) == path);
        match more {
            Some((_, text)) => Some((text.as_bytes().to_vec(), policy::mime(&path)?)),
            None => read(folder, &path),
        }
    });
    let Some((bytes, mime)) = found else { return Answer::text(404, "There is no such file.") };
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    if known == Some(tag.as_str()) {
        return Answer { status: 304, headers: vec![("ETag", tag)], body: Vec::new() };
    }
    let headers = vec![("Content-Type", mime.to_owned()), ("ETag", tag)];
    Answer { status: 200, headers, body: bytes }
}

/// A file's bytes and type, if it really lies in the folder (a link may lead out of it).
fn read(folder: &Path, path: &Path) -> Option<(Vec<u8>, &'static str)> {
    let mime = policy::mime(path)?;
    let real: PathBuf = fs::canonicalize(folder.join(path)).ok()?;
    if !real.starts_with(folder) || !real.is_file() {
        return None;
    }
    Some((fs::read(real).ok()?, mime))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::workspace;

    struct Site {
        folder: PathBuf,
        server: Option<Server>,
        port: u16,
    }

    impl Drop for Site {
        fn drop(&mut self) {
            self.server.take();
            fs::remove_dir_all(&self.folder).expect("clean");
        }
    }

    fn site(name: &str) -> Site {
        let folder = std::env::temp_dir().join(format!("highwater-{name}-{}", std::process::id()));
        for (path, text) in [
            ("site/index.html", "<!doctype html>"),
            ("site/engine.wasm", "\0asm"),
            ("site/examples/a.md", "# A"),
            ("secret.md", "secret"),
        ] {
            workspace::write_if_changed(&folder.join(path), text.as_bytes()).expect("write");
        }
        let extra = &[("verify/more.js", "export {}")];
        let server = Server::start_with(&folder.join("site"), extra, [0]).expect("start");
        let port = server.address.port();
        Site { folder, server: Some(server), port }
    }

    /// Sends a request as it is written, which no HTTP client would let us do.
    fn send(port: u16, head: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        let head = head.replace("PORT", &port.to_string()).replace('\n', "\r\n");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").expect("send");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("receive");
        String::from_utf8_lossy(&text).into_owned()
    }

    fn get(port: u16, target: &str) -> String {
        send(port, &format!("GET {target} HTTP/1.1\nHost: 127.0.0.1:PORT"))
    }

    #[test]
    fn files_come_with_their_type_and_every_header() {
        let site = site("files");
        let page = get(site.port, "/");
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(page.contains("Content-Type: text/html; charset=utf-8\r\n"), "{page}");
        assert!(page.ends_with("\r\n\r\n<!doctype html>"), "{page}");
        assert!(get(site.port, "/verify/more.js").ends_with("\r\n\r\nexport {}"));
        let module = get(site.port, "/engine.wasm");
        assert!(module.contains("Content-Type: application/wasm\r\n"), "{module}");
        for answer in [page, module, get(site.port, "/none.md"), get(site.port, "/examples/")] {
            for (name, value) in policy::HEADERS {
                assert!(answer.contains(&format!("{name}: {value}\r\n")), "{name} in {answer}");
            }
        }
    }

    #[test]
    fn a_foreign_name_learns_nothing() {
        let site = site("host");
        for host in ["Host: evil.example:PORT", "Host: localhost", "X-Host: 127.0.0.1:PORT"] {
            let answer = send(site.port, &format!("GET / HTTP/1.1\n{host}"));
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
            assert!(!answer.contains("doctype"), "{host}: {answer}");
        }
        let named = send(site.port, "GET / HTTP/1.1\nHost: localhost:PORT");
        assert!(named.starts_with("HTTP/1.1 200 "), "{named}");
    }

    #[test]
    fn nothing_outside_the_folder_is_given() {
        let site = site("outside");
        #[cfg(unix)]
        {
            let secret = site.folder.join("secret.md");
            std::os::unix::fs::symlink(secret, site.folder.join("site/link.md")).expect("link");
        }
        for target in
            ["/../secret.md", "/%2e%2e/secret.md", "/..%5csecret.md", "/link.md", "//secret.md"]
        {
            let answer = get(site.port, target);
            assert!(answer.starts_with("HTTP/1.1 404 "), "{target}: {answer}");
            assert!(!answer.contains("secret\n"), "{target}: {answer}");
        }
    }

    #[test]
    fn only_reading_is_answered() {
        let site = site("methods");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = send(site.port, &format!("{method} / HTTP/1.1\nHost: 127.0.0.1:PORT"));
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
            assert!(answer.contains("Allow: GET, HEAD\r\n"), "{method}: {answer}");
        }
        let head = send(site.port, "HEAD / HTTP/1.1\nHost: 127.0.0.1:PORT");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again_and_a_changed_one_is() {
        let site = site("cache");
        let first = get(site.port, "/examples/a.md");
        let tag =
            first.split("ETag: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("tag");
        let ask =
            format!("GET /examples/a.md HTTP/1.1\nHost: 127.0.0.1:PORT\nIf-None-Match: {tag}");
        assert!(send(site.port, &ask).starts_with("HTTP/1.1 304 "));
        fs::write(site.folder.join("site/examples/a.md"), "# B").expect("change");
        assert!(send(site.port, &ask).ends_with("# B"));
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let site = site("port");
        let other = Server::start(&site.folder.join("site"), [site.port, 0]).expect("start");
        assert_ne!(other.address.port(), site.port);
        let refused = Server::start(&site.folder.join("site"), [site.port]);
        assert!(refused.is_err_and(|failure| failure.to_string().contains(&site.port.to_string())));
    }
}
