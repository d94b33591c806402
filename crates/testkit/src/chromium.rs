//! A real Chromium through Debian's chromedriver.
//!
//! Everything waits for a condition, and what does not come within [`PATIENCE`] panics with the
//! address of the page and the beginning of its text. Nothing sleeps for a fixed time in the hope
//! that something has happened.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const STEP: Duration = Duration::from_millis(25);

/// Without the network flags Chromium looks for its maker's hosts at every start.
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
    "--window-size=1280,1000",
];

/// Debian's chromedriver. It and its browsers end when this is dropped.
pub struct Driver {
    child: Child,
    port: u16,
}

/// What kind of browser it is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// Scripts of pages do not run.
    pub without_scripts: bool,
    /// Where downloads go.
    pub downloads: Option<&'a Path>,
}

impl Driver {
    /// Starts it on a port of its own choice.
    ///
    /// # Panics
    /// It is not installed.
    pub fn start() -> Self {
        // The port that is free for IPv4 may be taken for IPv6 by the next one: then it ends.
        let started = (0..10).find_map(|_| Self::try_start());
        started.expect("chromedriver finds a port")
    }

    /// One that told its port; `None` if it ended before.
    fn try_start() -> Option<Self> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (Debian: chromium-driver) is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        while let Some(line) = lines.next() {
            if let Some((_, rest)) = line.expect("a line").split_once("successfully on port ") {
                let port = rest.trim_end_matches('.').parse().expect("a port");
                std::thread::spawn(move || lines.for_each(drop));
                return Some(Self { child, port });
            }
        }
        child.wait().expect("it has ended");
        None
    }

    /// A browser with an empty profile, on pages under `base`.
    ///
    /// # Panics
    /// Chromium does not start.
    pub async fn open(&self, base: &str, wishes: Wishes<'_>) -> Tab {
        let mut options = DesiredCapabilities::chrome();
        for argument in ARGUMENTS {
            options.add_arg(argument).expect("an argument");
        }
        let mut preferences = json!({ "download.prompt_for_download": false });
        if let Some(folder) = wishes.downloads {
            preferences["download.default_directory"] = json!(folder);
        }
        if wishes.without_scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        options.add_experimental_option("prefs", preferences).expect("preferences");
        let address = format!("http://127.0.0.1:{}", self.port);
        let web = WebDriver::new(address, options).await.expect("Chromium starts");
        web.set_script_timeout(2 * PATIENCE).await.expect("a time limit");
        Tab { web, base: base.trim_end_matches('/').to_owned() }
    }

    /// Asks it to end itself and its browsers: killed outright, it would leave them behind.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let host = format!("127.0.0.1:{}", self.port);
        write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with one page in it.
pub struct Tab {
    /// For what the methods here do not do.
    pub web: WebDriver,
    base: String,
}

impl Tab {
    /// Opens a page of the server.
    pub async fn go(&self, path: &str) {
        self.web.goto(format!("{}{path}", self.base)).await.expect("a page");
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.web.refresh().await.expect("a page");
    }

    /// Path and query of the page.
    pub async fn place(&self) -> String {
        let url = self.web.current_url().await.expect("an address").to_string();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// Waits until the path begins with `path`.
    pub async fn arrive(&self, path: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.place().await.starts_with(path) {
            self.still_time(deadline, &format!("the page {path}")).await;
        }
    }

    /// The first element that `css` selects, once it is there and shown.
    pub async fn find(&self, css: &str) -> WebElement {
        self.first(By::Css(css), css).await
    }

    /// The first link, button or summary with exactly this text, once it is shown.
    pub async fn named(&self, text: &str) -> WebElement {
        let kinds = "self::a or self::button or self::summary";
        let path = format!("//*[{kinds}][normalize-space()=\"{text}\"]");
        self.first(By::XPath(path.as_str()), text).await
    }

    async fn first(&self, by: By, what: &str) -> WebElement {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for element in self.web.find_all(by.clone()).await.unwrap_or_default() {
                if element.is_displayed().await.unwrap_or(false) {
                    return element;
                }
            }
            self.still_time(deadline, what).await;
        }
    }

    /// How many elements `css` selects now.
    pub async fn count(&self, css: &str) -> usize {
        self.web.find_all(By::Css(css)).await.expect("elements").len()
    }

    /// Clicks what `css` selects.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Clicks the link, button or summary with this text.
    pub async fn press(&self, text: &str) {
        self.named(text).await.click().await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field that takes text");
    }

    /// Waits until something that `css` selects shows `text`, and answers the whole of it.
    pub async fn see(&self, css: &str, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for element in self.web.find_all(By::Css(css)).await.unwrap_or_default() {
                let shown = element.text().await.unwrap_or_default();
                if shown.contains(text) {
                    return shown;
                }
            }
            self.still_time(deadline, &format!("“{text}” in {css}")).await;
        }
    }

    /// Sends keys to whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        self.web.action_chain().send_keys(keys).perform().await.expect("keys");
    }

    /// The value of an expression on the page.
    pub async fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression})"), vec![]).await
    }

    /// Runs a script on the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        let told = self.web.execute(script, arguments).await;
        told.unwrap_or_else(|error| panic!("{error}")).json().clone()
    }

    /// Runs a script that calls its last argument with what it found.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        let told = self.web.execute_async(script, arguments).await;
        told.unwrap_or_else(|error| panic!("{error}")).json().clone()
    }

    /// Waits until an expression on the page holds.
    pub async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(&format!("Boolean({expression})")).await != json!(true) {
            self.still_time(deadline, expression).await;
        }
    }

    /// A screen of this size, in CSS pixels; Chromium's own window does not get narrow enough.
    pub async fn screen(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let cdp = self.web.cdp();
        cdp.send_raw("Emulation.setDeviceMetricsOverride", metrics).await.expect("a screen");
    }

    /// The whole page as a PNG file.
    pub async fn picture(&self, file: &Path) {
        let mut wish = json!({ "captureBeyondViewport": true, "format": "png" });
        let cdp = self.web.cdp();
        let size = cdp.send_raw("Page.getLayoutMetrics", json!({})).await.expect("its size");
        let of = |name: &str| size["cssContentSize"][name].clone();
        let clip =
            json!({ "x": 0, "y": 0, "width": of("width"), "height": of("height"), "scale": 1 });
        wish["clip"] = clip;
        let taken = cdp.send_raw("Page.captureScreenshot", wish).await.expect("a picture");
        let text = taken["data"].as_str().unwrap_or_default();
        let bytes = STANDARD.decode(text).expect("base64");
        std::fs::write(file, bytes).expect("a file");
    }

    /// Ends the browser.
    pub async fn close(self) {
        self.web.quit().await.expect("an end");
    }

    async fn still_time(&self, deadline: Instant, what: &str) {
        if Instant::now() >= deadline {
            let place = self.place().await;
            let body = self.web.find(By::Css("body")).await.ok();
            let text = match body {
                Some(body) => body.text().await.unwrap_or_default(),
                None => String::new(),
            };
            let text: String = text.chars().take(1_500).collect();
            panic!("{what} did not come on {place}, which says:\n{text}");
        }
        tokio::time::sleep(STEP).await;
    }
}
