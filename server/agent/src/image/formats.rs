//! The structure of the four formats, as far as it tells whether a file is whole.

/// A format that all services take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

impl Format {
    /// Returns the format by the first bytes of a file.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
        }
    }

    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    /// Returns width and height of an image that is there from its header to its end.
    pub(super) fn size(self, bytes: &[u8]) -> Option<(u32, u32)> {
        let mut reader = Reader(bytes);
        match self {
            Self::Png => png(&mut reader),
            Self::Jpeg => jpeg(&mut reader),
            Self::Gif => gif(&mut reader),
            Self::WebP => webp(&mut reader),
        }
    }
}

/// Bytes from the first to the last; nothing is read beyond the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    fn u16_be(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32_be(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// Chunks from `IHDR` to `IEND`, with `IDAT` between them. See <https://www.w3.org/TR/png/#5Chunk-layout>.
fn png(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    reader.take(PNG.len())?;
    let mut size = None;
    let mut has_data = false;
    loop {
        let length = reader.u32_be()?;
        let kind = reader.array::<4>()?;
        let mut data = Reader(reader.take(usize::try_from(length).ok()?)?);
        let _checksum = reader.u32_be()?;
        match &kind {
            b"IHDR" if size.is_none() && length == 13 => size = Some((data.u32_be()?, data.u32_be()?)),
            _ if size.is_none() => return None,
            b"IDAT" => has_data = true,
            b"IEND" => return size.filter(|_| has_data),
            _ if kind.iter().all(u8::is_ascii_alphabetic) => {}
            _ => return None,
        }
    }
}

/// Segments from SOI to EOI, with a frame header and a scan between them. What cameras add behind the end does not
/// matter. See <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>, annex B.
fn jpeg(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    reader.take(2)?;
    let mut size = None;
    let mut has_scan = false;
    loop {
        if reader.u8()? != 0xff {
            return None;
        }
        let mut marker = reader.u8()?;
        while marker == 0xff {
            marker = reader.u8()?;
        }
        match marker {
            0xd9 => return size.filter(|_| has_scan),
            0x01 | 0xd0..=0xd7 => continue,
            0x00 | 0xd8 => return None,
            _ => {}
        }
        let length = usize::from(reader.u16_be()?).checked_sub(2)?;
        let mut segment = Reader(reader.take(length)?);
        match marker {
            // A frame header, not a table of Huffman codes or the like.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let _precision = segment.u8()?;
                let (height, width) = (segment.u16_be()?, segment.u16_be()?);
                size = Some((width.into(), height.into()));
            }
            0xda => {
                has_scan = true;
                // Its data goes to the next marker; 0xff within it is followed by 0.
                let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
                let end = reader.0.windows(2).position(is_marker)?;
                reader.take(end)?;
            }
            _ => {}
        }
    }
}

/// Blocks, at least one of them an image, up to the trailer. See <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>.
fn gif(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    reader.take(6)?;
    let (width, height) = (reader.u16_le()?, reader.u16_le()?);
    let flags = reader.u8()?;
    reader.take(2)?;
    skip_colours(reader, flags)?;
    let mut has_image = false;
    loop {
        match reader.u8()? {
            0x3b => return has_image.then_some((width.into(), height.into())),
            0x21 => {
                reader.u8()?;
            }
            0x2c => {
                reader.take(8)?;
                let flags = reader.u8()?;
                skip_colours(reader, flags)?;
                reader.u8()?;
                has_image = true;
            }
            _ => return None,
        }
        loop {
            match reader.u8()? {
                0 => break,
                length => reader.take(length.into())?,
            };
        }
    }
}

/// The table of colours that the flags announce.
fn skip_colours(reader: &mut Reader<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Some(())
}

/// Chunks, at least one of them with image data, as long as the header says.
/// See <https://developers.google.com/speed/webp/docs/riff_container>.
fn webp(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    reader.take(4)?;
    let length = usize::try_from(reader.u32_le()?).ok()?;
    let mut chunks = Reader(reader.take(length)?);
    chunks.take(4)?;
    let mut size = None;
    let mut has_data = false;
    while !chunks.0.is_empty() {
        let kind = chunks.array::<4>()?;
        let length = usize::try_from(chunks.u32_le()?).ok()?;
        let mut data = Reader(chunks.take(length)?);
        if length % 2 == 1 {
            chunks.take(1)?;
        }
        let found = match &kind {
            b"VP8X" => {
                data.take(4)?;
                let side = |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]) + 1;
                Some((side(data.array()?), side(data.array()?)))
            }
            b"VP8 " => {
                data.take(3)?;
                let is_key_frame = data.take(3)? == [0x9d, 0x01, 0x2a];
                let side = |side: u16| u32::from(side & 0x3fff);
                let found = (side(data.u16_le()?), side(data.u16_le()?));
                has_data = true;
                Some(Some(found).filter(|_| is_key_frame)?)
            }
            b"VP8L" => {
                let is_signed = data.u8()? == 0x2f;
                let bits = data.u32_le()?;
                has_data = true;
                Some(Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)).filter(|_| is_signed)?)
            }
            b"ANMF" => {
                has_data = true;
                None
            }
            _ => None,
        };
        size = size.or(found);
    }
    size.filter(|_| has_data)
}
