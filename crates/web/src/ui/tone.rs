//! What a colour means. A tone is never shown alone: blocks pair it with an icon and a word.

/// The meaning of a badge, tile, bar or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Nothing to say about it.
    Neutral,
    /// For information.
    Info,
    /// As it should be.
    Good,
    /// Worth a look soon.
    Notice,
    /// Needs attention.
    Warning,
    /// Went wrong.
    Bad,
    /// Went badly wrong: act now.
    Critical,
    /// Under seal: covered by a signed checkpoint.
    Seal,
}

impl Tone {
    /// All tones, mildest first.
    pub const ALL: [Self; 8] = [
        Self::Neutral,
        Self::Info,
        Self::Good,
        Self::Notice,
        Self::Warning,
        Self::Bad,
        Self::Critical,
        Self::Seal,
    ];

    /// The CSS class that sets the tone's colours.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Neutral => "t-neutral",
            Self::Info => "t-info",
            Self::Good => "t-good",
            Self::Notice => "t-notice",
            Self::Warning => "t-warning",
            Self::Bad => "t-bad",
            Self::Critical => "t-critical",
            Self::Seal => "t-seal",
        }
    }
}
