//! A disc that is full refuses writes with a clear answer, goes on reading, and takes writes again
//! once there is space: no repair, no restart.
//!
//! The disc is a small tmpfs. The right to mount one comes with a user namespace, in which the test
//! runs itself again; where those are forbidden root mounts it all the same. Without either the test
//! fails and says so, since a run that proves nothing must not look like one that does.

use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_engine::Context;

use crate::victim::{Caller, Server, engine, leaf};

/// Set where the test runs inside namespaces of its own.
const INSIDE: &str = "CHANCERY_TEST_INSIDE";

/// A program that enters namespaces of its own, in which it may mount.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]);
    command
}

/// Runs one test of this file again inside namespaces of its own, and fails as it fails. Answers
/// whether that was done: not if this is that run already, nor where namespaces are forbidden.
fn ran_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let output = unshare()
        .arg(program)
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

/// A small file system that goes with the test. What is uploaded once there is space again must fit
/// beside the write-ahead log, which may grow to 64 MB before its space is used again.
struct SmallDisc(PathBuf);

impl SmallDisc {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "chancery-small-disc"])
            .arg(&path)
            .output()
            .expect("the program `mount` is needed for this test");
        assert!(
            mounted.status.success(),
            "this test mounts a tmpfs, which takes root (CAP_SYS_ADMIN), or `unshare` of util-linux \
             and user namespaces for everybody (sysctl user.max_user_namespaces above 0, and where \
             there are these kernel.unprivileged_userns_clone=1 and \
             kernel.apparmor_restrict_unprivileged_userns=0): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(path)
    }

    /// Takes all space that is left; answers the file that holds it.
    fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.0.join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [65_536, 4_096] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisc {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// Uploads until one is refused; answers how many were not, and the refusal.
async fn upload_until_refused(caller: &Caller) -> (usize, u16, serde_json::Value) {
    for number in 0..2_000 {
        let (der, _) = leaf(&format!("full-{number}.example.com"));
        let answer = caller.upload(der, "").await.unwrap();
        let status = answer.status().as_u16();
        if status != 201 {
            let text = answer.text().await.unwrap();
            return (number, status, serde_json::from_str(&text).unwrap());
        }
    }
    panic!("the disc never filled up");
}

async fn listed(caller: &Caller) -> serde_json::Value {
    let answer = caller.get("/api/v1/certificates?limit=1").await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disc_refuses_writes_and_recovers_by_itself() {
    if ran_inside("full::a_full_disc_refuses_writes_and_recovers_by_itself") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disc = SmallDisc::mount(folder.path().join("disc"));
    let data_dir = disc.0.join("data");
    let token = Server::token(&data_dir);
    let server = Server::start(&data_dir, &token);
    let caller = server.client();
    let (der, _) = leaf("before.example.com");
    assert_eq!(caller.upload(der, "").await.unwrap().status().as_u16(), 201);

    let ballast = disc.fill();
    let (_, status, problem) = upload_until_refused(&caller).await;
    assert_eq!(status, 507, "{problem}");
    assert!(problem.to_string().contains("full"), "{problem}");
    listed(&caller).await;

    std::fs::remove_file(ballast).unwrap();
    for number in 0..20 {
        let (der, _) = leaf(&format!("after-{number}.example.com"));
        let answer = caller.upload(der, "").await.unwrap();
        assert_eq!(answer.status().as_u16(), 201, "{:?}", answer.text().await);
    }
    server.kill();
    verifies(&data_dir).await;
}

async fn verifies(data_dir: &Path) {
    let running = engine(data_dir).await;
    let engine = running.engine().clone();
    assert!(engine.settle(std::time::Duration::from_secs(60)).await);
    engine.verify_log(&Context::command_line(engine.environment())).await.unwrap();
    running.stop().await.unwrap();
}
