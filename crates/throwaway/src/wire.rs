//! A wire to a server that can be cut, go silent, lead elsewhere, or change what goes through it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A port on loopback behind which a server is, as long as the process lives.
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// Port of the server that new connections lead to.
    target: AtomicU16,
    /// New connections lose the options of their request, as in some poolers.
    forgetful: AtomicBool,
    /// What the server says in place of what, of equal length.
    rewritten: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    connections: Mutex<Vec<Through>>,
}

/// One connection.
struct Through {
    near: TcpStream,
    /// Nothing comes through any more, in either direction, and nobody is told.
    silent: Arc<AtomicBool>,
}

impl Wire {
    /// A wire to a port on loopback.
    ///
    /// # Panics
    /// If there is no port left.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            target: AtomicU16::new(server),
            forgetful: AtomicBool::new(false),
            rewritten: Mutex::default(),
            connections: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || state.connect(near));
            }
        });
        Self { port, state }
    }

    /// An address with this wire in place of the server's port.
    pub fn url(&self, url: &str, server: u16) -> String {
        url.replace(&format!(":{server}/"), &format!(":{}/", self.port))
    }

    /// New connections lead to another server; those that are open stay.
    pub fn lead_to(&self, server: u16) {
        self.state.target.store(server, Ordering::SeqCst);
    }

    /// New connections lose the options of their request.
    pub fn forget_options(&self) {
        self.state.forgetful.store(true, Ordering::SeqCst);
    }

    /// On new connections the server says one thing in place of another.
    ///
    /// # Panics
    /// If they are not of equal length: lengths stand in front of what is said.
    pub fn rewrite(&self, from: &[u8], to: &[u8]) {
        assert_eq!(from.len(), to.len());
        let mut all = self.state.rewritten.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        all.push((from.to_owned(), to.to_owned()));
    }

    /// Ends every connection.
    pub fn cut(&self) {
        for through in self.state.take() {
            let _ = through.near.shutdown(Shutdown::Both);
        }
    }

    /// Nothing comes through open connections any more, and nobody is told; answers how many there
    /// are.
    pub fn go_silent(&self) -> usize {
        let open = self.state.take();
        for through in &open {
            through.silent.store(true, Ordering::SeqCst);
        }
        open.len()
    }
}

impl State {
    fn take(&self) -> Vec<Through> {
        let mut open = self.connections.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::take(&mut *open)
    }

    fn connect(&self, mut near: TcpStream) {
        let target = self.target.load(Ordering::SeqCst);
        let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)) else { return };
        if self.forgetful.load(Ordering::SeqCst) && forget(&mut near, &mut far).is_err() {
            return;
        }
        let silent = Arc::new(AtomicBool::new(false));
        let (Ok(kept), Ok(back), Ok(there)) = (near.try_clone(), near.try_clone(), far.try_clone())
        else {
            return;
        };
        let through = Through { near: kept, silent: silent.clone() };
        self.connections.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(through);
        let quiet = silent.clone();
        let rewritten = self.rewritten.lock().map(|all| all.clone()).unwrap_or_default();
        thread::spawn(move || pump(far, back, &quiet, &rewritten));
        pump(near, there, &silent, &[]);
    }
}

/// Hands on what comes, until one end is closed.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    silent: &AtomicBool,
    rewritten: &[(Vec<u8>, Vec<u8>)],
) {
    let mut buffer = [0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if silent.load(Ordering::SeqCst) {
            continue;
        }
        for (old, new) in rewritten {
            for at in 0..=read.saturating_sub(old.len()) {
                if buffer[at..read].starts_with(old) {
                    buffer[at..at + new.len()].copy_from_slice(new);
                }
            }
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    if !silent.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

/// Hands on the request for a session without its options.
fn forget(near: &mut TcpStream, far: &mut TcpStream) -> io::Result<()> {
    const ENCRYPTION: [u8; 4] = 80_877_103_u32.to_be_bytes();
    let mut request = message(near)?;
    if request.starts_with(&ENCRYPTION) {
        near.write_all(b"N")?;
        request = message(near)?;
    }
    // The version, then names and values, each ended by a zero, and one more zero.
    let (version, parameters) = request.split_at(4);
    let mut words = parameters.split(|byte| *byte == 0);
    let mut kept = version.to_vec();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if !name.is_empty() && name != b"options" {
            kept.extend([name, b"\0", value, b"\0"].concat());
        }
    }
    kept.push(0);
    let length = u32::try_from(kept.len() + 4).map_err(io::Error::other)?;
    far.write_all(&[&length.to_be_bytes()[..], &kept].concat())
}

/// One message without a type: what stands behind its length.
fn message(near: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    near.read_exact(&mut length)?;
    let mut rest = vec![0; u32::from_be_bytes(length).saturating_sub(4) as usize];
    near.read_exact(&mut rest)?;
    Ok(rest)
}
