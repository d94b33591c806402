//! Where the entries of the log are kept beside the database.

use std::path::PathBuf;

use super::problem::Problem;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "archive.directory",
        default: "archive below data_dir, once a rule of retention needs it",
        expected: "the path of a directory",
        meaning: "The entries of the log are kept here as well, as tiles. Several nodes need one that all of them see.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_endpoint",
        default: "none",
        expected: "an address such as https://s3.eu-central-1.amazonaws.com",
        meaning: "Address of an S3-compatible store that keeps them instead.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_bucket",
        default: "none",
        expected: "the name of a bucket that exists",
        meaning: "Bucket in that store.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_prefix",
        default: "none",
        expected: "a path such as chancery/log",
        meaning: "What precedes every path in the bucket.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_region",
        default: "us-east-1",
        expected: "the name of a region",
        meaning: "Region that requests are signed for.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_path_style",
        default: "true",
        expected: "true or false",
        meaning: "The bucket stands in the path of addresses; false: in the name of the host.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_access_key_id",
        default: "none",
        expected: "the identifier of an access key",
        meaning: "Access key that may read and write objects in the bucket.",
        flag: None,
        is_secret: false,
    },
    Setting {
        key: "archive.s3_secret_access_key",
        default: "none",
        expected: "a text that is not empty",
        meaning: "The secret of that access key.",
        flag: None,
        is_secret: true,
    },
    Setting {
        key: "archive.s3_secret_access_key_file",
        default: "none",
        expected: "the path of a file that holds the secret",
        meaning: "The same, read from a file.",
        flag: None,
        is_secret: false,
    },
];

/// Where the entries of the log are kept beside the database.
#[derive(Clone)]
pub enum Archive {
    /// In the data directory, once something needs it.
    Standard,
    /// In a directory.
    Directory(PathBuf),
    /// In a bucket.
    S3(Bucket),
}

/// A bucket of an S3-compatible store.
#[derive(Clone)]
pub struct Bucket {
    /// Address of the store.
    pub endpoint: String,
    /// Name of the bucket.
    pub bucket: String,
    /// What precedes every path in it.
    pub prefix: String,
    /// Region that requests are signed for.
    pub region: String,
    /// The bucket stands in the path of addresses.
    pub path_style: bool,
    /// Identifier of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
}

impl Archive {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let directory: Option<PathBuf> = reader.optional("archive.directory");
        let endpoint: Option<String> = reader.optional("archive.s3_endpoint");
        let bucket: Option<String> = reader.optional("archive.s3_bucket");
        let prefix = reader.value("archive.s3_prefix", String::new());
        let region = reader.value("archive.s3_region", "us-east-1".to_owned());
        let path_style = reader.value("archive.s3_path_style", true);
        let key: Option<String> = reader.optional("archive.s3_access_key_id");
        let secret =
            reader.secret("archive.s3_secret_access_key", "archive.s3_secret_access_key_file");
        let mut wrong = |message: &str| {
            let problem = Problem { place: "archive".to_owned(), message: message.to_owned() };
            reader.report(problem);
        };
        let given = (endpoint, bucket, key, secret);
        match (directory, given) {
            (None, (None, None, None, None)) => Self::Standard,
            (Some(directory), (None, None, None, None)) => Self::Directory(directory),
            (Some(_), _) => {
                wrong("archive.directory and archive.s3_… name two archives: keep one");
                Self::Standard
            }
            (None, (Some(endpoint), Some(bucket), Some(access_key_id), Some(secret))) => {
                let secret_access_key = secret;
                Self::S3(Bucket {
                    endpoint,
                    bucket,
                    prefix,
                    region,
                    path_style,
                    access_key_id,
                    secret_access_key,
                })
            }
            (None, _) => {
                wrong(
                    "an archive in a bucket needs archive.s3_endpoint, archive.s3_bucket, \
                     archive.s3_access_key_id and archive.s3_secret_access_key",
                );
                Self::Standard
            }
        }
    }
}
