//! The program as people run it: as a process, with its files and its network.

mod cli;
mod installation;
mod process;
mod verify;
mod walkthrough;
