//! The program as people run it: as a process, with its files and its network.

mod browser;
mod cli;
mod full;
mod fuzzed;
mod installation;
mod kill;
mod process;
mod verify;
mod victim;
mod walkthrough;
