//! Sizes that are accepted from outside.

use super::reader::Reader;
use super::setting::Setting;

/// The settings of this section.
pub const SETTINGS: &[Setting] = &[Setting {
    key: "limits.max_upload_bytes",
    default: "16 MiB",
    expected: "bytes between 1 KiB and 1 GiB, such as 16 MiB",
    meaning: "Largest body of a request, so the largest file that can be uploaded.",
    flag: None,
    is_secret: false,
}];

/// Sizes that are accepted from outside.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest body of a request, in bytes.
    pub max_upload_bytes: u64,
}

impl Limits {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            max_upload_bytes: reader.bytes("limits.max_upload_bytes", 16 << 20, 1 << 10..=1 << 30),
        }
    }
}
