//! The program as people run it: as a process, with its files and its network.

mod browser;
mod cli;
mod delivered;
mod demo;
mod destinations;
mod faults;
mod fleet;
mod full;
mod fuzzed;
mod heaps;
mod installation;
mod kill;
mod moved;
mod process;
mod restored;
mod retention;
mod sources;
mod syslog;
mod verify;
mod victim;
mod walkthrough;
