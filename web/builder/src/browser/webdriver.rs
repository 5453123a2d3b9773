//! A small WebDriver client: one headless Chromium behind chromedriver, gone when dropped.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use ureq::Agent;

use crate::failure::{Failure, Result};

/// The key WebDriver wraps an element's identity in.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long one command may take; the longest is an asynchronous script.
const PATIENCE: Duration = Duration::from_secs(300);

const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
];

/// A key that no letter stands for, as WebDriver writes it.
pub mod key {
    /// The Tab key.
    pub const TAB: &str = "\u{e004}";
    /// The Enter key.
    pub const ENTER: &str = "\u{e007}";
    /// The Escape key.
    pub const ESCAPE: &str = "\u{e00c}";
    /// The left arrow.
    pub const LEFT: &str = "\u{e012}";
    /// The right arrow.
    pub const RIGHT: &str = "\u{e014}";
}

/// An element of the page that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

/// A browser with one window and a profile of its own.
pub struct Browser {
    driver: Child,
    agent: Agent,
    /// The driver's address, without a final slash.
    base: String,
    /// The session's identity, once there is one.
    session: Option<String>,
    profile: PathBuf,
}

/// The names of the two programs on this machine, if both are there.
pub fn programs() -> Option<(PathBuf, PathBuf)> {
    let driver = on_path("chromedriver")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    Some((driver, names.into_iter().find_map(on_path)?))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Browser {
    /// Starts the driver and a browser with an empty profile.
    ///
    /// # Errors
    /// When a program cannot be started or does not answer.
    pub fn start(driver: &Path, chromium: &Path) -> Result<Browser> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile =
            env::temp_dir().join(format!("highwater-browser-{}-{count}", std::process::id()));
        fs::create_dir_all(&profile).map_err(Failure::file("make", &profile))?;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|cause| Failure::while_doing("cannot start chromedriver", cause))?;
        let port = driver.stdout.take().and_then(announced_port);
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let base = format!("http://127.0.0.1:{}", port.unwrap_or(0));
        let mut browser = Browser { driver, agent, base, session: None, profile };
        if port.is_none() {
            return Err(Failure::new("chromedriver did not say which port it listens on"));
        }
        browser.open_session(chromium)?;
        Ok(browser)
    }

    fn open_session(&mut self, chromium: &Path) -> Result<()> {
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", self.profile.display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags, "binary": chromium },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 280_000, "pageLoad": 60_000, "implicit": 0 },
        } } });
        let answer = self.post(&format!("{}/session", self.base), &capabilities)?;
        let session = answer["sessionId"].as_str().map(str::to_owned);
        self.session = Some(session.ok_or_else(|| Failure::new("chromedriver opened no session"))?);
        Ok(())
    }

    /// Opens an address and waits until the page has loaded.
    ///
    /// # Errors
    /// When the browser cannot load it.
    pub fn go(&self, url: &str) -> Result<()> {
        self.command("url", &json!({ "url": url })).map(drop)
    }

    /// The first element that a CSS selector matches.
    ///
    /// # Errors
    /// When none does.
    pub fn find(&self, selector: &str) -> Result<Element> {
        let found =
            self.command("element", &json!({ "using": "css selector", "value": selector }))?;
        element(&found).ok_or_else(|| Failure::new(format!("nothing matches `{selector}`")))
    }

    /// Every element that a CSS selector matches, in the page's order.
    ///
    /// # Errors
    /// When the selector is malformed.
    pub fn find_all(&self, selector: &str) -> Result<Vec<Element>> {
        let found =
            self.command("elements", &json!({ "using": "css selector", "value": selector }))?;
        Ok(found.as_array().into_iter().flatten().filter_map(element).collect())
    }

    /// Clicks in an element's middle, as a person would: it must be visible and uncovered.
    ///
    /// # Errors
    /// When it is hidden, covered or gone.
    pub fn click(&self, element: &Element) -> Result<()> {
        self.command(&format!("element/{}/click", element.0), &json!({})).map(drop)
    }

    /// Types into an element; [`key`] names what is no letter.
    ///
    /// # Errors
    /// When it cannot be typed into.
    pub fn keys(&self, element: &Element, text: &str) -> Result<()> {
        self.command(&format!("element/{}/value", element.0), &json!({ "text": text })).map(drop)
    }

    /// An element's visible text.
    ///
    /// # Errors
    /// When it is gone.
    pub fn text(&self, element: &Element) -> Result<String> {
        let text = self.ask(&format!("element/{}/text", element.0))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// An element's attribute, or `None` when it has none of that name.
    ///
    /// # Errors
    /// When it is gone.
    pub fn attribute(&self, element: &Element, name: &str) -> Result<Option<String>> {
        let value = self.ask(&format!("element/{}/attribute/{name}", element.0))?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Runs a script's body in the page: `arguments[0]` and so on are `arguments`, `return` answers.
    ///
    /// # Errors
    /// When it throws.
    pub fn execute(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.command("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Runs a script's body that answers by calling its last argument, within some minutes.
    ///
    /// # Errors
    /// When it throws or does not answer in time.
    pub fn execute_async(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.command("execute/async", &json!({ "script": script, "args": arguments }))
    }

    /// What is visible, as a PNG file's bytes.
    ///
    /// # Errors
    /// When the browser cannot draw it.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        let text = self.ask("screenshot")?;
        BASE64
            .decode(text.as_str().unwrap_or_default())
            .map_err(|cause| Failure::while_doing("the screenshot", cause))
    }

    /// The console's errors since the last call: exceptions, failed loads, policy violations.
    ///
    /// # Errors
    /// When the driver does not give the log.
    pub fn console_errors(&self) -> Result<Vec<String>> {
        let log = self.command("se/log", &json!({ "type": "browser" }))?;
        let entries = log.as_array().into_iter().flatten();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        Ok(severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Asks again and again until something holds.
    ///
    /// # Errors
    /// When it does not hold in time, or asking fails.
    pub fn until(
        &self,
        what: &str,
        patience: Duration,
        mut holds: impl FnMut(&Browser) -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        while !holds(self)? {
            if start.elapsed() > patience {
                return Err(Failure::new(format!("{what}: not within {} s", patience.as_secs())));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends the browser and its driver; dropping does the same.
    pub fn quit(self) {}

    fn address(&self, path: &str) -> Result<String> {
        let session = self.session.as_ref().ok_or_else(|| Failure::new("the browser is closed"))?;
        Ok(format!("{}/session/{session}/{path}", self.base))
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value> {
        self.post(&self.address(path)?, body)
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let mut answer = self.agent.get(self.address(path)?).call().map_err(unreachable)?;
        value(answer.body_mut().read_json().map_err(unreachable)?)
    }

    fn post(&self, address: &str, body: &Value) -> Result<Value> {
        let mut answer = self.agent.post(address).send_json(body).map_err(unreachable)?;
        value(answer.body_mut().read_json().map_err(unreachable)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // In this order: the driver ends its browser, then itself; only then is anything forced.
        if let Some(session) = self.session.take() {
            let _ = self.agent.delete(format!("{}/session/{session}", self.base)).call();
        }
        let _ = self.agent.get(format!("{}/shutdown", self.base)).call();
        let start = Instant::now();
        while matches!(self.driver.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5)
        {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Chromium may still write into its profile for a moment.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.profile).is_ok() || !self.profile.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Reads the driver's first lines up to the one that names its port, and lets a thread read the rest.
fn announced_port(output: ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
    let port = lines.by_ref().find_map(|line| {
        let (_, rest) = line.split_once("started successfully on port ")?;
        rest.trim_end_matches('.').parse().ok()
    });
    // A full pipe would stop the driver.
    thread::spawn(move || lines.for_each(drop));
    port
}

fn unreachable(cause: ureq::Error) -> Failure {
    Failure::while_doing("chromedriver", cause)
}

/// The `value` of an answer, or the error it reports: its first line, for the rest is the driver's stack.
fn value(mut answer: Value) -> Result<Value> {
    let value = answer["value"].take();
    match value["error"].as_str() {
        None => Ok(value),
        Some(error) => {
            let message = value["message"].as_str().unwrap_or_default();
            Err(Failure::while_doing(error, message.lines().next().unwrap_or_default()))
        }
    }
}

fn element(value: &Value) -> Option<Element> {
    Some(Element(value[ELEMENT].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_first_line() {
        let answer = json!({ "value": { "error": "no such element", "message": "gone\n#0 0x1" } });
        let failure = value(answer).expect_err("an error");
        assert_eq!(failure.to_string(), "no such element: gone");
        assert_eq!(value(json!({ "value": null })), Ok(Value::Null));
    }
}
