//! Pictures that were made to hurt whoever decodes them.

use std::io::{Cursor, Write as _};

use image::{DynamicImage, ImageFormat, RgbImage};

/// Returns every hostile picture with a name whose extension fits its signature.
pub(crate) fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty.png", Vec::new()),
        ("signature-only.png", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("truncated.png", truncated(ImageFormat::Png)),
        ("truncated.jpg", truncated(ImageFormat::Jpeg)),
        ("truncated.gif", truncated(ImageFormat::Gif)),
        ("truncated.webp", truncated(ImageFormat::WebP)),
        ("garbage.png", garbage(b"\x89PNG\r\n\x1a\n")),
        ("garbage.jpg", garbage(b"\xff\xd8\xff\xe0")),
        ("garbage.gif", garbage(b"GIF89a")),
        ("garbage.webp", garbage(b"RIFF\xff\xff\xff\xffWEBPVP8L")),
        ("noise.png", flipped(ImageFormat::Png)),
        ("noise.jpg", flipped(ImageFormat::Jpeg)),
        ("huge-header.png", png(65_535, 65_535, 2, &[0; 64])),
        ("largest-header.png", png(0x7fff_ffff, 0x7fff_ffff, 6, &[0; 64])),
        ("zero-header.png", png(0, 0, 2, &[0; 64])),
        ("huge-header.jpg", huge_jpeg()),
        ("huge-header.gif", huge_gif()),
        ("huge-header.webp", huge_webp()),
        ("bomb.png", png(30_000, 30_000, 2, &vec![0; 8 << 20])),
        ("text-bomb.png", png_with_text_bomb()),
        ("scans.jpg", jpeg_of_many_scans()),
    ]
}

/// A picture in order, as each format's encoder writes it.
fn sound(format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 4, y as u8 * 5, (x * y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut bytes, format).expect("a small picture is encoded in memory");
    bytes.into_inner()
}

fn truncated(format: ImageFormat) -> Vec<u8> {
    let mut bytes = sound(format);
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// A signature with bytes behind it that follow no rule. They are the same in every run.
fn garbage(signature: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend(Chaos(signature.len() as u64).take(64 << 10));
    bytes
}

/// A picture in order but for one bit in every hundred bytes behind its header.
fn flipped(format: ImageFormat) -> Vec<u8> {
    let mut bytes = sound(format);
    let ends = bytes.len();
    for at in (40..ends).step_by(100) {
        bytes[at] ^= 0x10;
    }
    bytes
}

/// A PNG with a correct header of any size over compressed `rows`.
fn png(width: u32, height: u32, color: u8, rows: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, color, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut bytes, b"IHDR", &header);
    chunk(&mut bytes, b"IDAT", &deflated(rows));
    chunk(&mut bytes, b"IEND", &[]);
    bytes
}

/// A small PNG whose compressed text grows to 256 MiB.
fn png_with_text_bomb() -> Vec<u8> {
    let mut bytes = sound(ImageFormat::Png);
    let mut text = b"Comment\0\0".to_vec();
    text.extend(deflated(&vec![b'a'; 256 << 20]));
    let mut bomb = Vec::new();
    chunk(&mut bomb, b"zTXt", &text);
    // Behind the signature of 8 bytes and the header chunk of 25.
    bytes.splice(33..33, bomb);
    bytes
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let checked = [kind.as_slice(), data].concat();
    out.extend(&checked);
    let mut sum = flate2::Crc::new();
    sum.update(&checked);
    out.extend(sum.sum().to_be_bytes());
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("memory takes every write");
    encoder.finish().expect("memory takes every write")
}

/// A JPEG whose frame header says 65535×65535.
fn huge_jpeg() -> Vec<u8> {
    let mut bytes = sound(ImageFormat::Jpeg);
    let frame =
        bytes.windows(2).position(|w| w == [0xff, 0xc0]).expect("the encoder writes a baseline frame");
    bytes[frame + 5..frame + 9].fill(0xff);
    bytes
}

fn huge_gif() -> Vec<u8> {
    let mut bytes = sound(ImageFormat::Gif);
    bytes[6..10].fill(0xff);
    bytes
}

/// A lossless WebP of 16384×16384, the most that its header can say.
fn huge_webp() -> Vec<u8> {
    let mut bytes = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f".to_vec();
    bytes.extend([0xff, 0xff, 0xff, 0x0f]);
    bytes.extend([0; 9]);
    bytes
}

/// A JPEG in order whose only scan is repeated 100,000 times.
fn jpeg_of_many_scans() -> Vec<u8> {
    let bytes = sound(ImageFormat::Jpeg);
    let scan = bytes.windows(2).position(|w| w == [0xff, 0xda]).expect("a picture has a scan");
    let end = bytes.len() - 2;
    let mut out = bytes[..end].to_vec();
    for _ in 0..100_000 {
        out.extend(&bytes[scan..scan + 14]);
    }
    out.extend(&bytes[end..]);
    out
}

/// Bytes without a pattern, from one number (splitmix64).
struct Chaos(u64);

impl Iterator for Chaos {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some((z ^ (z >> 31)) as u8)
    }
}
