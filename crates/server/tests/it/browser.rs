//! The main path in a real browser: sign in, see the inventory, upload, open an event, and have the
//! browser itself verify the proof.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_pki::Certificate;
use chancery_pki::make::{Key, Template, certificate};
use chancery_throwaway::on_each_backend;
use thirtyfour::prelude::*;

use crate::process::{Process, prepare};

const WAIT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);

/// Debian's chromedriver. Ended when dropped.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (Debian: chromium-driver) is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver tells its port").unwrap();
            if let Some((_, rest)) = line.split_once("successfully on port ") {
                break rest.trim_end_matches('.').parse().unwrap();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    async fn browser(&self) -> WebDriver {
        let mut options = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1400",
        ] {
            options.add_arg(argument).unwrap();
        }
        WebDriver::new(format!("http://127.0.0.1:{}", self.port), options).await.unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn find(browser: &WebDriver, css: &str) -> WebElement {
    browser.query(By::Css(css)).wait(WAIT, STEP).first().await.unwrap()
}

on_each_backend!(a_person_signs_in_uploads_and_has_the_proof_verified_in_the_browser, 2);

async fn a_person_signs_in_uploads_and_has_the_proof_verified_in_the_browser() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let server = Process::start(dir.path());
    let driver = Driver::start();
    let browser = driver.browser().await;
    let told = visit(&browser, &server.url).await;
    // The browser ends whatever came of the visit.
    browser.quit().await.unwrap();
    told.unwrap();
    server.stop();
}

async fn visit(browser: &WebDriver, url: &str) -> WebDriverResult<()> {
    browser.goto(format!("{url}/certificates")).await?;
    find(browser, "input[name=name]").await.send_keys("admin").await?;
    let password = find(browser, "input[name=password]").await;
    password.send_keys("correct horse battery").await?;
    find(browser, "form.form button").await.click().await?;

    let key = Key::from_seed(b"browser").unwrap();
    let template =
        Template::leaf(&["browser.example.com"], 1_767_225_600_000_000, 2_713_910_400_000_000);
    let der = certificate(&template, &key, None).unwrap();
    let pem = Certificate::parse(&der).unwrap().to_pem();
    browser.goto(format!("{url}/certificates/upload")).await?;
    find(browser, "textarea").await.send_keys(pem).await?;
    find(browser, "main form button[type=submit]").await.click().await?;
    let heading = "//h1[normalize-space()='browser.example.com']";
    browser.query(By::XPath(heading)).wait(WAIT, STEP).first().await?;

    browser.goto(format!("{url}/events?q=type:certificate.upload")).await?;
    find(browser, "main table a[href^='/events/']").await.click().await?;
    find(browser, "[data-verify] button.verify").await.click().await?;
    let verdict = find(browser, ".proof-result.t-seal, .proof-result.t-bad").await;
    let told = verdict.text().await?;
    assert!(told.contains("Proven: these bytes are in the log"), "{told}");
    Ok(())
}
