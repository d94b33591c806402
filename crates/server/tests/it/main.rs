//! The program as people run it: as a process, with its files and its network.

mod automation;
mod browser;
mod bucket;
mod cli;
mod consumers;
mod delivered;
mod demo;
mod destinations;
mod documented;
mod faults;
mod fleet;
mod full;
mod fuzzed;
mod installation;
mod kill;
mod moved;
mod process;
mod restored;
mod retention;
mod sources;
mod syslog;
mod told;
mod upgrade;
mod verify;
mod victim;
mod walkthrough;
