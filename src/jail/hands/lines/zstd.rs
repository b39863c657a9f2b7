//! What zstd packed: one frame after another, and between them such as hold nothing.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

pub(super) struct Zstandard<R> {
    inner: R,
    frame: FrameDecoder,
    /// Whether a frame was begun and has not ended.
    is_within: bool,
}

impl<R: BufRead> Zstandard<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, frame: FrameDecoder::new(), is_within: false }
    }

    /// Begins the next frame. `false` if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.inner.fill_buf()?.is_empty() {
            match self.frame.init(&mut self.inner) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = (&mut self.inner).take(length.into());
                    if io::copy(&mut { skipped }, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_within {
                self.is_within = self.begin()?;
                if !self.is_within {
                    return Ok(0);
                }
            }
            let read = self.frame.read(buffer)?;
            if 0 < read || buffer.is_empty() {
                return Ok(read);
            }
            if self.frame.is_finished() {
                self.is_within = false;
                continue;
            }
            let step = BlockDecodingStrategy::UptoBlocks(1);
            self.frame.decode_blocks(&mut self.inner, step).map_err(io::Error::other)?;
        }
    }
}
