//! Pictures as people send them: well made, badly made, and made to harm.

use super::*;

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn plain(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_pixel(width, height, Rgba([20, 120, 220, 255])))
}

fn shown(logo: &Logo) -> RgbaImage {
    let image = image::load_from_memory_with_format(&logo.png, ImageFormat::Png).unwrap().into_rgba8();
    assert_eq!(image.dimensions(), (logo.reference.width, logo.reference.height));
    image
}

/// What is said of a file that is refused.
fn refusal(bytes: &[u8]) -> String {
    let Err(Error::Invalid(errors)) = decode(bytes) else { panic!("it is taken") };
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "logo"));
    errors[0].message.clone()
}

/// A PNG whose header claims these sides, its checksum being right.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = file(&plain(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&png[12..29]);
    png[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    png
}

#[test]
fn each_of_the_three_formats_becomes_a_png() {
    let rgb = DynamicImage::ImageRgb8(plain(200, 100).into_rgb8());
    for format in FORMATS {
        let logo = decode(&file(&rgb, format)).unwrap();
        assert_eq!(shown(&logo).dimensions(), (200, 100), "{format:?}: what is small enough stays as it is");
        assert!(logo.png.starts_with(b"\x89PNG") && logo.reference.hash.len() == 24);
    }
}

#[test]
fn what_is_too_large_is_made_to_fit_in_its_proportions() {
    for (sides, fitting) in [
        ((960, 320), (480, 160)),
        ((1_000, 1_000), (160, 160)),
        ((3_000, 100), (480, 16)),
        ((100, 3_000), (5, 160)),
        ((4_096, 1), (480, 1)),
        ((481, 160), (480, 160)),
    ] {
        let logo = decode(&file(&plain(sides.0, sides.1), ImageFormat::Png)).unwrap();
        assert_eq!(shown(&logo).dimensions(), fitting, "{sides:?}");
    }
}

#[test]
fn the_same_picture_has_the_same_name_and_another_another() {
    let hash = |image: &DynamicImage| decode(&file(image, ImageFormat::Png)).unwrap().reference.hash;
    assert_eq!(hash(&plain(20, 20)), hash(&plain(20, 20)));
    assert_ne!(hash(&plain(20, 20)), hash(&plain(20, 21)));
}

#[test]
fn edges_are_not_darkened_by_what_is_invisible() {
    let half = |x: u32| if x < 500 { Rgba([255, 255, 255, 255]) } else { Rgba([0, 0, 0, 0]) };
    let white = DynamicImage::ImageRgba8(RgbaImage::from_fn(1_000, 300, |x, _| half(x)));
    let image = shown(&decode(&file(&white, ImageFormat::Png)).unwrap());
    assert!(image.pixels().any(|Rgba([.., alpha])| *alpha == 0) && image.pixels().any(|Rgba([.., alpha])| *alpha == 255));
    for Rgba([red, green, blue, alpha]) in image.pixels() {
        assert!(*alpha < 16 || [red, green, blue].iter().all(|colour| **colour > 240), "{red} {green} {blue} at {alpha}");
    }
}

#[test]
fn a_photo_stands_upright_and_keeps_no_word_of_where_it_was_taken() {
    // Exif: little-endian, one entry, Orientation (0x0112) = 6: to be turned a quarter. Then a note.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0taken at home";
    let jpeg = file(&DynamicImage::ImageRgb8(plain(64, 32).into_rgb8()), ImageFormat::Jpeg);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let photo = [&jpeg[..2], b"\xff\xe1", &length, exif, &jpeg[2..]].concat();
    let logo = decode(&photo).unwrap();
    assert_eq!(shown(&logo).dimensions(), (32, 64));
    assert!(!String::from_utf8_lossy(&logo.png).contains("at home"));
}

#[test]
fn other_files_are_refused_whatever_they_are_called() {
    let right = "must be a PNG, JPEG or WebP image";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".as_slice();
    for bytes in [svg, b"GIF89a\x01\0\x01\0\0\0\0;", b"BM", b"hello", b"\0"] {
        assert_eq!(refusal(bytes), right);
    }
    assert!(refusal(b"").contains(right.trim_start_matches("must be ")));
}

#[test]
fn broken_files_are_refused_and_break_nothing() {
    for format in FORMATS {
        let whole = file(&DynamicImage::ImageRgb8(plain(64, 64).into_rgb8()), format);
        for length in (16..whole.len().saturating_sub(16)).step_by(7) {
            // A file that ends early may still show its upper half. Whatever comes of it, it is an answer.
            match decode(&whole[..length]) {
                Ok(logo) => assert_eq!(shown(&logo).dimensions(), (64, 64), "{format:?} of {length} bytes"),
                Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "logo"),
                Err(other) => panic!("{format:?} of {length} bytes: {other}"),
            }
        }
    }
}

#[test]
fn a_small_file_that_claims_to_be_a_huge_picture_is_refused_by_its_header() {
    for (width, height) in [(60_000, 60_000), (4_097, 1), (1, 4_097)] {
        let refusal = refusal(&claiming(width, height));
        assert!(refusal.contains("4,096 pixels"), "{width} × {height}: {refusal}");
    }
}

#[test]
fn a_file_that_is_too_heavy_is_not_looked_at() {
    let mut heavy = file(&plain(8, 8), ImageFormat::Png);
    heavy.resize(BYTES_MAX + 1, 0);
    assert!(refusal(&heavy).contains("2 MiB"));
}

#[test]
fn a_logo_is_stored_as_text_and_comes_back_as_it_was() {
    let logo = decode(&file(&plain(30, 30), ImageFormat::Png)).unwrap();
    let stored = LogoFile::of(Id::from_u128(7), logo.clone());
    let read: LogoFile = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
    assert_eq!((read.id, read.png), (Id::from_u128(7), logo.png));
}
