//! The program as people run it: as a process, with its files and its network.

mod full;
mod kill;
mod process;
