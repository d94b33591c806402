//! A mail server on loopback that keeps what it is given, and refuses whom it is told to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A message as it was taken.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// Whom the envelope names.
    pub recipients: Vec<String>,
    /// The message with its headers.
    pub raw: String,
}

impl Mail {
    /// A header's value; folded lines are joined, encoded words are decoded.
    pub fn header(&self, name: &str) -> String {
        let head = self.raw.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ");
        let prefix = format!("{}:", name.to_lowercase());
        let line = head.split("\r\n").find(|line| line.to_lowercase().starts_with(&prefix));
        let value = line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value);
        let words = value.split_whitespace().map(|word| {
            let inner = word.strip_prefix("=?utf-8?B?").and_then(|word| word.strip_suffix("?="));
            let decoded = inner.and_then(|inner| STANDARD.decode(inner).ok());
            match decoded {
                Some(bytes) => (true, String::from_utf8_lossy(&bytes).into_owned()),
                None => (false, word.to_owned()),
            }
        });
        let mut text = String::new();
        let mut after_encoded = true;
        for (encoded, word) in words {
            if !(text.is_empty() || encoded && after_encoded) {
                text.push(' ');
            }
            text.push_str(&word);
            after_encoded = encoded;
        }
        text
    }

    /// Its parts, decoded: text first, then HTML.
    pub fn parts(&self) -> Vec<String> {
        let parts = self.raw.split("\r\n\r\n").skip(1);
        parts
            .filter_map(|part| {
                let body = part.split("\r\n--").next().unwrap_or_default().replace("\r\n", "");
                STANDARD.decode(body).ok()
            })
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    /// The plain text.
    pub fn text(&self) -> String {
        self.parts().into_iter().next().unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    refused: BTreeSet<String>,
    is_down: bool,
}

/// The server. It ends when it is dropped.
pub struct Mailbox {
    /// The port it listens on.
    pub port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mailbox {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// No port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move {
                    let _ = talk(stream, &state).await;
                });
            }
        });
        Self { port, state, task }
    }

    /// Host and port.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on this address is refused for good (550), or taken again.
    pub fn refuse(&self, address: &str, refused: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if refused {
            state.refused.insert(address.to_owned());
        } else {
            state.refused.remove(address);
        }
    }

    /// From now on nothing is taken (421), or everything again.
    pub fn go_down(&self, is_down: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_down = is_down;
    }

    /// Everything that was taken so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).mails.clone()
    }

    /// Messages to this address so far.
    pub fn to(&self, address: &str) -> Vec<Mail> {
        let mine = |mail: &Mail| mail.recipients.iter().any(|one| one == address);
        self.mails().into_iter().filter(mine).collect()
    }

    /// Waits until so many messages were taken; answers all.
    ///
    /// # Panics
    /// They do not come within a minute.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        for _ in 0..3_000 {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {count} messages came", self.mails().len());
    }

    /// Waits until a mail to an address has come.
    ///
    /// # Panics
    /// None comes within a minute.
    pub async fn wait_for_one_to(&self, address: &str) {
        for _ in 0..3_000 {
            if !self.to(address).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no mail to {address} came");
    }
}

async fn talk(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let locked = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if locked().is_down {
        return write.write_all(b"421 not now\r\n").await;
    }
    write.write_all(b"220 mailbox\r\n").await?;
    let mut mail = Mail::default();
    while let Some(line) = lines.next_line().await? {
        let upper = line.to_ascii_uppercase();
        let answer = if upper.starts_with("RCPT TO:") {
            let address = line[8..].trim_matches(['<', '>', ' ']).to_owned();
            let is_refused = locked().refused.contains(&address);
            if is_refused {
                "550 5.1.1 nobody of this name"
            } else {
                mail.recipients.push(address);
                "250 fine"
            }
        } else if upper == "DATA" {
            write.write_all(b"354 go on\r\n").await?;
            while let Some(line) = lines.next_line().await? {
                if line == "." {
                    break;
                }
                mail.raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                mail.raw.push_str("\r\n");
            }
            locked().mails.push(std::mem::take(&mut mail));
            "250 taken"
        } else if upper == "QUIT" {
            write.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "250 fine"
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
