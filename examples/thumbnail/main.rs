//! A sealed worker shrinks pictures; it can touch only the two files it is handed.
#![allow(missing_docs)] // The text is the documentation.
use bailiwick::prelude::*;
use std::{fs::File, process::ExitCode, time::Duration};

#[protocol]
pub trait Thumbs {
    /// Shrinks `picture` to `width` pixels and writes a PNG to `out`.
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Size, BadPicture>;
}

#[message] // Serialize, Deserialize and a structural schema
pub struct Size {
    pub width: u16,
    pub height: u16,
}

#[derive(Default)]
struct Shrinker {
    done: u64,
}

impl Thumbs for Shrinker {
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Size, BadPicture> {
        self.done += 1;
        shrink_png(picture.into(), out.into(), width) // a crash in here costs this worker, nothing else
    }
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let thumbs: ThumbsRef = cx.peer("shrinker")?;
    let call = thumbs.shrink(File::open("in/cat.png")?.into(), File::create("out/cat.png")?.into(), 320);
    let size = call.ask(Duration::from_secs(2)).await??; // did it arrive? did the actor agree?
    println!("{}x{}", size.width, size.height);
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("shrinker", Sandbox::sealed().memory_max_mib(64), ThumbsRef::serve(Shrinker::default))
        .main("front", Sandbox::sealed().read("in").write("out").grant("shrinker"), front)
        .run()
}

// What follows is not about actors.

/// Why a picture was not shrunk.
#[message]
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be shrunk: {reason}")]
pub struct BadPicture {
    /// What the decoder, the encoder or the file said.
    pub reason: String,
}

fn shrink_png(picture: File, mut out: File, width: u16) -> Result<Size, BadPicture> {
    use image::{DynamicImage, ImageFormat, ImageReader, Limits};
    use std::io::{BufReader, Cursor, Write};

    let bad = |error: image::ImageError| BadPicture { reason: error.to_string() };
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height, limits.max_alloc) =
        (Some(4096), Some(4096), Some(32 << 20));
    let mut reader = ImageReader::with_format(BufReader::new(picture), ImageFormat::Png);
    reader.limits(limits);
    let small: DynamicImage = reader.decode().map_err(bad)?.thumbnail(width.into(), u32::MAX);
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png).map_err(bad)?;
    out.write_all(png.get_ref()).map_err(|error| bad(error.into()))?;
    let side = |pixels| u16::try_from(pixels).unwrap_or(u16::MAX);
    Ok(Size { width: side(small.width()), height: side(small.height()) })
}
