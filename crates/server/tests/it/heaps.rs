//! The server runs with few heaps of the C library, in the process that was started, unless somebody
//! has set them up.

use crate::process::{Process, prepare};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_runs_with_few_heaps_unless_somebody_has_set_them_up() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    for (set, expected) in
        [(&[][..], "MALLOC_ARENA_MAX=2"), (&[("MALLOC_ARENA_MAX", "5")][..], "MALLOC_ARENA_MAX=5")]
    {
        let server = Process::start_in(dir.path(), &[], set);
        let heaps: Vec<_> = server.variables();
        let heaps: Vec<_> = heaps.iter().filter(|set| set.starts_with("MALLOC_")).collect();
        assert_eq!(heaps, [expected]);
        server.stop();
    }
    // The system takes the number away from a program with capabilities: it is not set again.
    let marked = [("HEAPS_SET_BY_CHANCERY", "1")];
    let server = Process::start_in(dir.path(), &[], &marked);
    assert!(!server.variables().iter().any(|set| set.starts_with("MALLOC_")));
    server.stop();
}
