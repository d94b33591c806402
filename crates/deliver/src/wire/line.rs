//! Protocols of lines: reading answers with a limit and in time, writing, plain or through TLS.

use std::pin::Pin;
use std::time::Duration;

use chancery_engine::delivery::SendError;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest line that is read.
const LINE_MAX: usize = 65_536;

/// A stream of bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A conversation in lines.
pub(crate) struct Lines {
    stream: Pin<Box<dyn Duplex>>,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Lines {
    pub(crate) fn new(stream: impl Duplex + 'static, patience: Duration) -> Self {
        Self { stream: Box::pin(stream), buffer: Vec::new(), patience }
    }

    /// Writes bytes and sends them off.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(self.patience, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SendError::new("connection", error.to_string())),
            Err(_) => Err(SendError::new("timeout", "the receiver does not take what is sent")),
        }
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Result<String, SendError> {
        if let Some(line) = self.line_at_hand() {
            return Ok(line);
        }
        let limit = tokio::time::sleep(self.patience);
        tokio::pin!(limit);
        loop {
            self.more(limit.as_mut()).await?;
            if let Some(line) = self.line_at_hand() {
                return Ok(line);
            }
        }
    }

    fn line_at_hand(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let text = String::from_utf8_lossy(&self.buffer[..end]);
        let text = text.trim_end_matches('\r').to_owned();
        self.buffer.drain(..=end);
        Some(text)
    }

    /// So many bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Result<Vec<u8>, SendError> {
        if self.buffer.len() < count {
            let limit = tokio::time::sleep(self.patience);
            tokio::pin!(limit);
            while self.buffer.len() < count {
                self.more(limit.as_mut()).await?;
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn more(&mut self, limit: Pin<&mut tokio::time::Sleep>) -> Result<(), SendError> {
        if self.buffer.len() > LINE_MAX {
            return Err(SendError::new("protocol", "the receiver answers without end"));
        }
        let mut part = [0; 4_096];
        let read = tokio::select! {
            read = self.stream.read(&mut part) => read,
            () = limit => return Err(SendError::new("timeout", "the receiver does not answer")),
        };
        match read {
            Ok(0) => Err(SendError::new("connection", "the receiver closed the connection")),
            Ok(count) => {
                self.buffer.extend_from_slice(&part[..count]);
                Ok(())
            }
            Err(error) => Err(SendError::new("connection", error.to_string())),
        }
    }
}
