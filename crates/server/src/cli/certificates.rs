//! `chancery certificates`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Upload, import and look up certificates.
#[derive(Debug, Clone, Subcommand)]
pub enum CertificatesCommand {
    /// Upload certificates from files.
    Upload(UploadArguments),
    /// Import every certificate under a directory.
    Import(ImportArguments),
    /// List certificates that a filter selects.
    List(CertificateListArguments),
    /// Show one certificate.
    Show(CertificateShowArguments),
}

/// Upload certificates from files: PEM, DER, PKCS#7, or PKCS#12 with --password-file.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery certificates upload www.pem chain.pem --path /prod/web --group web --owner alice
  openssl s_client -connect example.org:443 -showcerts </dev/null | chancery certificates upload -")]
pub struct UploadArguments {
    /// The files; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where they belong.
    #[command(flatten)]
    pub placement: PlacementArguments,
    /// Do not wait: the server works them off as jobs, whose ids are printed.
    #[arg(long = "async")]
    pub asynchronous: bool,
    /// A file that holds the password of a PKCS#12 file. Private keys are never uploaded.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Where certificates belong in the inventory.
#[derive(Debug, Clone, Default, Args)]
pub struct PlacementArguments {
    /// The folder of the inventory they go to.
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// A group they belong to, by name or id; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Their RA profile, by name or id.
    #[arg(long, value_name = "PROFILE")]
    pub ra_profile: Option<String>,
    /// Their owner, by login name or id.
    #[arg(long, value_name = "ACCOUNT")]
    pub owner: Option<String>,
    /// The value of a custom attribute; may be given several times, for a list with one name.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub attributes: Vec<String>,
    /// Chains may end at them.
    #[arg(long)]
    pub trust_anchor: bool,
}

/// Import every certificate in the files under a directory; what is no certificate is passed over
/// and counted.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery certificates import /etc/ssl --dry-run
  chancery certificates import ./certificates --path /prod")]
pub struct ImportArguments {
    /// The directory, read with everything below it.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Where they belong.
    #[command(flatten)]
    pub placement: PlacementArguments,
    /// Let the server work them off as jobs and do not wait for these [default: from 50
    /// certificates on, jobs that are waited for].
    #[arg(long = "async")]
    pub asynchronous: bool,
    /// Say what would be imported, and upload nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// List certificates that a filter selects, the soonest to expire first.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  chancery certificates list 'expires<30d'
  chancery certificates list 'issuer:\"Example CA\" status:valid' --json")]
pub struct CertificateListArguments {
    /// Which certificates, in the language of the search box.
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
}

/// Show one certificate: its fields, its chain, its validation and its latest events.
#[derive(Debug, Clone, Args)]
pub struct CertificateShowArguments {
    /// Its id or its SHA-256 fingerprint; the beginning is enough where it is unique.
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: String,
    /// Print the certificate itself, as PEM.
    #[arg(long)]
    pub pem: bool,
}
