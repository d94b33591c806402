//! How many heaps the C library keeps.
//!
//! glibc gives threads heaps of their own, eight for each processor, and hardly ever gives one back
//! to the system. Requests run on many threads in turn, so that each heap grows to what a burst
//! once took: after a load, more than twice the memory that two heaps need. glibc reads their
//! number from the environment when a process starts, and nowhere else, short of code that this
//! project does not have (`unsafe`). So the program starts itself once more, with the number set,
//! before it does anything else: the same process, the same arguments.
//!
//! It must never do so twice, nor where somebody has set the heaps up, nor fail because of it.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Where glibc reads the number of heaps.
const HEAPS: &str = "MALLOC_ARENA_MAX";
/// Whatever else says how glibc is to keep memory.
const OTHERS: [&str; 2] = ["GLIBC_TUNABLES", "LD_PRELOAD"];
/// Set by this module. For a program with capabilities of its own the system takes `HEAPS` away.
const STARTED: &str = "HEAPS_SET_BY_CHANCERY";
/// One for each of two threads at work; more hardly helps on any machine, because events are made
/// and written by few threads at a time.
const NUMBER: &str = "2";

/// Starts the program once more with few heaps. Comes back where that is of no use, or fails.
pub fn limit() {
    let set = |name: &&str| std::env::var_os(name).is_some();
    let elsewhere = !cfg!(all(target_os = "linux", target_env = "gnu"));
    if elsewhere || [HEAPS, STARTED].iter().chain(&OTHERS).any(set) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It only comes back if it failed; then the program goes on as it is.
    let _ = command.args(arguments).env(HEAPS, NUMBER).env(STARTED, "1").exec();
}
