//! `chancery verify`.

use std::path::PathBuf;

use clap::Args;

/// Verify a log, a range of it, an export or a single proof.
///
/// Recomputes every leaf hash and the tree above it, and checks the signature of the checkpoint. It
/// believes nothing but the key of the log. An older copy of a log holds by itself: that its end
/// is missing shows only beside a checkpoint that was kept (--published, and the file `checkpoint`
/// of a data directory). Exit status: 0 when everything holds, 1 when something
/// does not, 2 when it could not be looked at.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  chancery verify
      The log in the data directory of this machine.

  chancery verify --url https://chancery.example.org/log --key 'chancery.example.org/log+…'
      The log of a server, over the network. Its entries are read with the token of an auditor
      (CHANCERY_TOKEN).

  chancery verify --published checkpoint.txt
      That log, and that it still has what the checkpoint covers which you kept.

  chancery verify --export events.jsonl --from 1000 --to 1999
      A part of an export.

  chancery verify --proof event.tlog-proof --entry event.entry --key log.vkey
      One event, without the log. The server gives its proof at /api/v1/events/INDEX/proof, its
      sealed bytes at /api/v1/events/INDEX/entry.")]
pub struct VerifyArguments {
    /// The data directory whose log is verified [default: that of the configuration].
    #[arg(long, value_name = "DIR", conflicts_with_all = ["url", "export", "proof"])]
    pub data_dir: Option<PathBuf>,
    /// The directory with the entries that were removed from the database [default: `archive` in
    /// the data directory, or the archive of the configuration].
    #[arg(long, value_name = "DIR", conflicts_with_all = ["url", "export", "proof"])]
    pub archive: Option<PathBuf>,
    /// The address of a served log.
    #[arg(long, value_name = "URL", conflicts_with_all = ["export", "proof"])]
    pub url: Option<String>,
    /// A file exported by `chancery events export`.
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    pub export: Option<PathBuf>,
    /// A C2SP tlog-proof of a single event.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    pub proof: Option<PathBuf>,
    /// The event of the proof: its sealed bytes, a line of an export, or its JSON where that does
    /// not show its personal part [default: the extra data of the proof].
    #[arg(long, value_name = "FILE", requires = "proof")]
    pub entry: Option<PathBuf>,
    /// A file with a checkpoint that was kept: an answer of /log/checkpoint, or a witness's. The
    /// log must have all that it covers. In a data directory, the one that the node keeps there is
    /// compared in any case.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "proof"])]
    pub published: Option<PathBuf>,
    /// The first log index of a range.
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// The last log index of a range, itself included.
    #[arg(long, value_name = "INDEX")]
    pub to: Option<u64>,
    /// The verifier key of the log, or a file that holds it; several for a log whose key was
    /// changed [default: the key that comes with the log, which proves consistency but not whose
    /// log it is].
    #[arg(long, value_name = "VKEY")]
    pub key: Vec<String>,
}
