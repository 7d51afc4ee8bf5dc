//! Images, looked at before they become a part of a conversation.
//!
//! Services refuse a request with a broken or too large image in it, and with it every later request of the
//! conversation. So its header, its end and what lies between are checked first; the pixels are not decoded.

mod formats;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provider::Part;

use formats::Format;

/// Bytes of an image; the smallest limit among the services (3 MiB at GitHub Copilot).
pub(crate) const MAX_BYTES: u64 = 3 * 1024 * 1024;

/// Pixels of the longer side: Anthropic refuses larger ones, the others make them smaller themselves.
/// See <https://docs.anthropic.com/en/docs/build-with-claude/vision#evaluate-image-size>.
const MAX_SIDE: u32 = 8_000;

/// Why an image cannot be shown to a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("it is no PNG, JPEG, GIF or WebP")]
    Unknown,
    #[error("it begins like a {format} but is cut off or damaged")]
    Damaged { format: &'static str },
    #[error("it has {width}×{height} pixels; services take at most {MAX_SIDE} a side")]
    TooManyPixels { width: u32, height: u32 },
    #[error("it has {n_bytes} bytes; services take at most {MAX_BYTES}")]
    TooLarge { n_bytes: u64 },
    #[error("its data is not base64")]
    NotBase64,
}

impl ImageError {
    /// Returns what the user can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Unknown => "Convert it to PNG, for example with `magick`.",
            Self::Damaged { .. } => "Check the file, or make the image again.",
            Self::TooManyPixels { .. } | Self::TooLarge { .. } => {
                "Make a smaller copy, for example with `magick in.png -resize 1600x1600 out.png`."
            }
            Self::NotBase64 => "Encode the whole image as base64, without line breaks or a `data:` prefix.",
        }
    }
}

/// Returns true if these bytes begin as those of an image do.
pub(crate) fn is_image(bytes: &[u8]) -> bool {
    Format::of(bytes).is_some()
}

/// Returns the image as a part of a message.
///
/// # Errors
/// Why a service would refuse it.
pub(crate) fn part(bytes: &[u8]) -> Result<Part, ImageError> {
    let mime_type = check(bytes)?;
    Ok(Part::Image { mime_type: mime_type.into(), data: STANDARD.encode(bytes) })
}

/// Makes a part of an image in base64, as [`part`] does of its bytes.
pub(crate) fn part_of_base64(data: &str) -> Result<Part, ImageError> {
    let n_bytes = data.len() as u64 / 4 * 3;
    // Two characters of padding at most.
    if n_bytes > MAX_BYTES + 2 {
        return Err(ImageError::TooLarge { n_bytes });
    }
    let bytes = STANDARD.decode(data).map_err(|_| ImageError::NotBase64)?;
    let mime_type = check(&bytes)?;
    Ok(Part::Image { mime_type: mime_type.into(), data: data.to_owned() })
}

/// Returns the MIME type.
fn check(bytes: &[u8]) -> Result<&'static str, ImageError> {
    let format = Format::of(bytes).ok_or(ImageError::Unknown)?;
    let n_bytes = bytes.len() as u64;
    if n_bytes > MAX_BYTES {
        return Err(ImageError::TooLarge { n_bytes });
    }
    let damaged = ImageError::Damaged { format: format.name() };
    let (width, height) =
        format.size(bytes).filter(|(width, height)| *width > 0 && *height > 0).ok_or(damaged)?;
    if width.max(height) > MAX_SIDE {
        return Err(ImageError::TooManyPixels { width, height });
    }
    Ok(format.mime_type())
}

#[cfg(test)]
pub(crate) mod tests;
