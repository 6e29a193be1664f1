//! From a picture that anybody may have made to a small one: the code that must be expected to break.
//!
//! What can be refused before anything is decoded is refused. What remains (a fault of a decoder, a
//! picture that needs more memory than it says) ends the process, which holds nothing but the two files.

use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};

use bailiwick::prelude::*;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use thiserror::Error;

use crate::format::Format;

/// The largest file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;
/// The largest picture that is decoded, which is what the cameras of telephones make.
const PIXELS_MAX: u64 = 64_000_000;
/// The memory that a decoded picture may need: `PIXELS_MAX` at four bytes.
const DECODED_BYTES_MAX: u64 = PIXELS_MAX * 4;
/// Progressive pictures have ten scans or so; each one costs a pass over the whole picture.
const JPEG_SCANS_MAX: usize = 64;
/// The longest side of a small picture relative to its width, so that a ribbon does not become a tower.
const ASPECT_MAX: u32 = 4;
const JPEG_QUALITY: u8 = 82;

/// What was written.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thumb {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) format: Format,
    pub(crate) bytes: u64,
}

/// Why a picture was not made smaller.
#[message]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum BadPicture {
    #[error("the picture's file has {bytes} bytes, the limit is {FILE_BYTES_MAX}")]
    TooLong { bytes: u64 },
    #[error("the picture has {width}×{height} pixels, the limit is {PIXELS_MAX} in all")]
    TooManyPixels { width: u32, height: u32 },
    #[error("the picture needs {bytes} bytes of memory, the limit is {DECODED_BYTES_MAX}")]
    TooDeep { bytes: u64 },
    #[error("the picture has {scans} scans, the limit is {JPEG_SCANS_MAX}")]
    TooManyScans { scans: usize },
    #[error("the file does not begin like a PNG, JPEG, GIF or WebP picture")]
    NotAPicture,
    #[error("the picture is damaged: {reason}")]
    Damaged { reason: String },
    #[error("a file that was handed over cannot be used: {reason}")]
    Unusable { reason: String },
}

/// Reads `picture`, turns it upright, makes it at most `width` pixels wide and writes it to `out`.
///
/// # Errors
/// [`BadPicture`]; `out` then has no meaning.
pub(crate) fn shrink(picture: File, out: File, width: u16) -> Result<Thumb, BadPicture> {
    let bytes = read(picture)?;
    let full = decode(&bytes)?;
    drop(bytes);
    let small = fit(full, u32::from(width.max(1)));
    write(&small, out)
}

/// Does once with a few pixels what [`shrink`] does, without files: what a process does for the first time takes longer.
pub(crate) fn rehearse() {
    let small = encode(&DynamicImage::new_rgb8(64, 64)).and_then(|(bytes, _)| decode(&bytes));
    let _of_no_use = small.and_then(|full| encode(&fit(full, 32)));
}

fn read(mut picture: File) -> Result<Vec<u8>, BadPicture> {
    let unusable = |error: std::io::Error| BadPicture::Unusable { reason: error.to_string() };
    let length = picture.metadata().map_err(unusable)?.len();
    if length > FILE_BYTES_MAX {
        return Err(BadPicture::TooLong { bytes: length });
    }
    // The descriptor shares its position with whoever else holds it.
    picture.rewind().map_err(unusable)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // The file may have grown since.
    picture.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unusable)?;
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, BadPicture> {
    let format = Format::of_first_bytes(bytes).ok_or(BadPicture::NotAPicture)?;
    if format == Format::Jpeg {
        refuse_many_scans(bytes)?;
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format(format));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(BadPicture::TooManyPixels { width, height });
    }
    if decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(BadPicture::TooDeep { bytes: decoder.total_bytes() });
    }
    // A picture whose notes are damaged is still a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Within a scan 0xff is always followed by 0x00 or a restart marker, so this counts no pixels.
fn refuse_many_scans(bytes: &[u8]) -> Result<(), BadPicture> {
    let scans = bytes.windows(2).filter(|pair| *pair == [0xff, 0xda]).count();
    if scans > JPEG_SCANS_MAX { Err(BadPicture::TooManyScans { scans }) } else { Ok(()) }
}

fn fit(full: DynamicImage, width: u32) -> DynamicImage {
    let height = width.saturating_mul(ASPECT_MAX);
    if full.width() <= width && full.height() <= height { full } else { full.thumbnail(width, height) }
}

fn write(small: &DynamicImage, mut out: File) -> Result<Thumb, BadPicture> {
    let (bytes, format) = encode(small)?;
    out.write_all(&bytes).map_err(|error| BadPicture::Unusable { reason: error.to_string() })?;
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    Ok(Thumb {
        width: side(small.width()),
        height: side(small.height()),
        format,
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    })
}

fn encode(small: &DynamicImage) -> Result<(Vec<u8>, Format), BadPicture> {
    let mut bytes = Cursor::new(Vec::new());
    let format = if small.color().has_alpha() { Format::Png } else { Format::Jpeg };
    match format {
        Format::Png => DynamicImage::from(small.to_rgba8()).write_to(&mut bytes, ImageFormat::Png),
        Format::Jpeg | Format::Gif | Format::WebP => {
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&small.to_rgb8())
        }
    }
    .map_err(damaged)?;
    Ok((bytes.into_inner(), format))
}

fn damaged(error: image::ImageError) -> BadPicture {
    BadPicture::Damaged { reason: error.to_string() }
}

fn image_format(format: Format) -> ImageFormat {
    match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Gif => ImageFormat::Gif,
        Format::WebP => ImageFormat::WebP,
    }
}

#[cfg(test)]
mod tests {
    use image::{RgbImage, Rgba, RgbaImage};

    use super::*;
    use crate::hostile;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("room in the temporary folder");
        file
    }

    fn shrunk(bytes: &[u8], width: u16) -> Result<(Thumb, DynamicImage), BadPicture> {
        let mut out = file(&[]);
        let thumb = shrink(file(bytes), out.try_clone().expect("a descriptor"), width)?;
        let mut written = Vec::new();
        out.rewind().expect("files can be rewound");
        out.read_to_end(&mut written).expect("files can be read");
        assert_eq!(thumb.bytes, written.len() as u64);
        assert_eq!(Format::of_first_bytes(&written), Some(thumb.format));
        Ok((thumb, image::load_from_memory(&written).expect("a thumbnail is a picture")))
    }

    fn encoded(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encoded in memory");
        bytes.into_inner()
    }

    #[test]
    fn each_format_becomes_smaller_and_keeps_its_shape() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let bytes = encoded(RgbImage::from_pixel(400, 200, image::Rgb([200, 40, 10])).into(), format);
            let (thumb, small) = shrunk(&bytes, 100).expect("a sound picture");
            assert_eq!((thumb.width, thumb.height), (100, 50), "{format:?}");
            let middle = small.to_rgb8().get_pixel(50, 25).0;
            assert!(middle[0] > 190 && middle[1] < 60 && middle[2] < 30, "{format:?} became {middle:?}");
        }
    }

    #[test]
    fn a_small_picture_is_not_blown_up_and_keeps_its_transparency() {
        let bytes = encoded(RgbaImage::from_pixel(10, 10, Rgba([1, 2, 3, 0])).into(), ImageFormat::Png);
        let (thumb, small) = shrunk(&bytes, 320).expect("a sound picture");
        assert_eq!((thumb.width, thumb.height, thumb.format), (10, 10, Format::Png));
        assert_eq!(small.to_rgba8().get_pixel(5, 5).0[3], 0);
    }

    #[test]
    fn a_photograph_taken_sideways_stands_upright() {
        let mut bytes = encoded(RgbImage::new(80, 40).into(), ImageFormat::Jpeg);
        // An EXIF block in big-endian order whose one entry says orientation 6: turn by 90 degrees.
        let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut segment = vec![0xff, 0xe1, 0, exif.len() as u8 + 2];
        segment.extend(exif);
        bytes.splice(2..2, segment);
        let (thumb, _) = shrunk(&bytes, 20).expect("a sound picture");
        assert_eq!((thumb.width, thumb.height), (20, 40));
    }

    #[test]
    fn a_ribbon_does_not_become_a_tower() {
        let bytes = encoded(RgbImage::new(4, 4000).into(), ImageFormat::Png);
        let (thumb, _) = shrunk(&bytes, 16).expect("a sound picture");
        assert!(thumb.height <= 64, "{thumb:?}");
    }

    #[test]
    fn hostile_pictures_are_refused() {
        for (name, bytes) in hostile::pictures() {
            let answer = shrink(file(&bytes), file(&[]), 320);
            // A decoder may make a picture of one that is merely damaged; the others are refused.
            let repairable =
                name.starts_with("noise") || name.starts_with("truncated") || name.starts_with("text");
            assert!(repairable || answer.is_err(), "{name} became {answer:?}");
        }
    }

    #[test]
    fn the_limit_that_a_picture_broke_is_named() {
        let answer = |wanted: &str| {
            let bytes = hostile::pictures().into_iter().find(|(name, _)| *name == wanted).expect(wanted).1;
            shrink(file(&bytes), file(&[]), 320).expect_err(wanted)
        };
        assert_eq!(answer("bomb.png"), BadPicture::TooManyPixels { width: 30_000, height: 30_000 });
        assert_eq!(answer("huge-header.jpg"), BadPicture::TooManyPixels { width: 65_535, height: 65_535 });
        assert_eq!(answer("scans.jpg"), BadPicture::TooManyScans { scans: 100_001 });
        assert_eq!(answer("empty.png"), BadPicture::NotAPicture);
    }
}
