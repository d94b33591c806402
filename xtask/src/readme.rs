//! The commands of the README are the ones that work: two of them, spelled exactly so.

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

    fn read(path: &str) -> String {
        std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
    }

    #[test]
    fn the_two_commands_stand_in_the_readme_and_ci_calls_the_second() {
        let readme = read("README.md");
        for command in ["cargo run --release -- serve --demo", "cargo xtask test"] {
            assert!(readme.lines().any(|line| line == command), "{command}");
        }
        assert!(read(".ci/run").lines().any(|line| line == "exec cargo xtask test"));
    }

    /// `cargo run` refuses when more than one program could be meant.
    #[test]
    fn cargo_run_means_the_server() {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(ROOT)
            .output()
            .unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let default = metadata["workspace_default_members"].as_array().unwrap();
        let programs: Vec<_> = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|package| default.contains(&package["id"]))
            .flat_map(|package| package["targets"].as_array().unwrap())
            .filter(|target| target["kind"].as_array().unwrap().contains(&"bin".into()))
            .map(|target| target["name"].as_str().unwrap())
            .collect();
        assert_eq!(programs, ["chancery"]);
    }
}
