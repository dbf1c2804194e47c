//! Logos: a picture that somebody sent, taken apart and made anew, so that nothing of the file that came is ever served.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::codecs::png::{CompressionType, FilterType as Filter, PngEncoder};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, ImageResult, Limits, Rgba, RgbaImage};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::page::{LogoRef, Page};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{Document, OrgDocument};

/// What may be sent. No SVG: it is a program as much as a picture.
const FORMATS: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];
/// The most bytes that somebody may send.
pub const BYTES_MAX: usize = 2 << 20;
/// The longest side of what is sent, in pixels.
const SIDE_MAX: u32 = 4_096;
/// What a picture with the longest sides takes that has sixteen bits a channel, and some more.
const MEMORY_MAX: u64 = 160 << 20;
/// A logo is shown half as large at most, so that it is sharp where a screen has two pixels for one.
const WIDTH: u32 = 480;
const HEIGHT: u32 = 160;

/// A picture small enough to be shown, as PNG.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    reference: LogoRef,
    png: Vec<u8>,
}

impl Logo {
    /// How a page speaks of it.
    pub fn reference(&self) -> &LogoRef {
        &self.reference
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logo").field("reference", &self.reference).field("bytes", &self.png.len()).finish()
    }
}

/// A page's logo as it is stored. It has the page's id: a page has one at most, and another takes its place.
#[derive(Clone, Serialize, Deserialize)]
pub struct LogoFile {
    /// The page's id, as a logo's.
    pub id: Id<LogoFile>,
    /// The image.
    #[serde(with = "in_base64")]
    pub png: Vec<u8>,
}

impl Kind for LogoFile {
    const PREFIX: &'static str = "lgo";
}
impl Document for LogoFile {
    const NAME: &'static str = "logos";
    const NUMBER: u16 = 18;
    fn id(&self) -> Id<Self> {
        self.id
    }
}
impl OrgDocument for LogoFile {}

impl LogoFile {
    /// Under which id a page's logo is kept.
    pub fn id_of(page: Id<Page>) -> Id<LogoFile> {
        Id::from_uuid(page.uuid())
    }

    /// The logo of this page.
    pub(super) fn of(page: Id<Page>, logo: Logo) -> Self {
        Self { id: Self::id_of(page), png: logo.png }
    }
}

/// Documents are JSON, which has no bytes.
mod in_base64 {
    use std::borrow::Cow;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// Makes a logo of a PNG, JPEG or WebP file that somebody sent: upright, no larger than it needs to be, without anything that was written
/// beside the picture (where a photo was taken, say). Of a moving picture it is the first frame.
///
/// Takes up to some tenths of a second: not for an async thread. One at a time, since a picture takes far more memory than its file.
///
/// # Errors
/// `Invalid`, under `logo`, saying what would be right.
pub fn decode(bytes: &[u8]) -> Result<Logo> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if bytes.is_empty() {
        return Err(wrong("must be chosen: a PNG, JPEG or WebP image"));
    }
    if bytes.len() > BYTES_MAX {
        return Err(wrong("must be 2 MiB at most; save it smaller"));
    }
    let format = image::guess_format(bytes).ok().filter(|format| FORMATS.contains(format));
    let format = format.ok_or_else(|| wrong("must be a PNG, JPEG or WebP image"))?;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let image = open(bytes, format).map_err(|error| match error {
        ImageError::Limits(_) => wrong("must be 4,096 pixels wide and high at most; save it smaller"),
        _ => wrong("can't be read; save it as a PNG and send that"),
    })?;
    made_of(image.into_rgba8())
}

fn wrong(what: &str) -> Error {
    Error::invalid("logo", what)
}

/// Reads a picture. What its header says is checked before anything of it is unpacked: a file of a few kilobytes can claim gigabytes.
fn open(bytes: &[u8], format: ImageFormat) -> ImageResult<DynamicImage> {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn made_of(image: RgbaImage) -> Result<Logo> {
    let (width, height) = fitting(image.width(), image.height());
    let image = if (width, height) == image.dimensions() { image } else { scaled(image, width, height) };
    let is_opaque = image.pixels().all(|Rgba([.., alpha])| *alpha == u8::MAX);
    let image = DynamicImage::ImageRgba8(image);
    let image = if is_opaque { DynamicImage::ImageRgb8(image.into_rgb8()) } else { image };
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Best, Filter::Adaptive);
    image.write_with_encoder(encoder).map_err(Error::internal)?;
    let hash = Sha256::digest(&png).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Ok(Logo { reference: LogoRef { hash, width, height }, png })
}

/// The size at which a picture fits into a logo's. What is smaller stays: larger it would only be blurred.
fn fitting(width: u32, height: u32) -> (u32, u32) {
    let rounded = |side: u32, by: u32, over: u32| ((side * by + over / 2) / over).max(1);
    if width <= WIDTH && height <= HEIGHT {
        (width, height)
    } else if width * HEIGHT >= height * WIDTH {
        (WIDTH, rounded(height, WIDTH, width))
    } else {
        (rounded(width, HEIGHT, height), HEIGHT)
    }
}

/// Colours are weighed by how much of them is seen: else the invisible ones, mostly black, would darken every edge.
fn scaled(mut image: RgbaImage, width: u32, height: u32) -> RgbaImage {
    each_colour(&mut image, |colour, alpha| clamped(u32::from(colour) * u32::from(alpha) + 127, 255));
    let mut image = DynamicImage::ImageRgba8(image).resize_exact(width, height, FilterType::Lanczos3).into_rgba8();
    each_colour(&mut image, |colour, alpha| clamped(u32::from(colour) * 255 + u32::from(alpha) / 2, u32::from(alpha)));
    image
}

fn each_colour(image: &mut RgbaImage, change: fn(u8, u8) -> u8) {
    for Rgba([red, green, blue, alpha]) in image.pixels_mut() {
        for colour in [red, green, blue] {
            *colour = change(*colour, *alpha);
        }
    }
}

fn clamped(weighed: u32, by: u32) -> u8 {
    u8::try_from(weighed.checked_div(by).unwrap_or(0)).unwrap_or(u8::MAX)
}
