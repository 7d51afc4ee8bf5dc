use super::*;

/// Three by two pixels, as Pillow writes them.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR42mP8zwAFTDAGAwATKQEDGNmoCwAAAABJRU5ErkJggg==";
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////////////2wBDAVVaWnhpeOuCguv/////////////////////////////////////////////////////////////////////////wAARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAwT/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCQA1j/2Q==";
const PROGRESSIVE_JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////////////2wBDAVVaWnhpeOuCguv/////////////////////////////////////////////////////////////////////////wgARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAL/xAAVAQEBAAAAAAAAAAAAAAAAAAACA//aAAwDAQACEAMQAAABgG3/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAEFAn//xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oACAEDAQE/AX//xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oACAECAQE/AX//xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAY/An//xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAE/IX//2gAMAwEAAgADAAAAEPP/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oACAEDAQE/EH//xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oACAECAQE/EH//xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAE/EH//2Q==";
const GIF: &str = "R0lGODdhAwACAIEAAP8AAAAAAAAAAAAAACwAAAAAAwACAAAIBgABCBwYEAA7";
const ANIMATED_GIF: &str = "R0lGODdhAwACAIEAAP8AAAAAAAAAAAAAACwAAAAAAwACAAAIBgABCBwYEAAh+QQBAAABACwAAAAAAwACAIEAAP8AAAAAAAAAAAAIBgABCBwYEAA7";
const WEBP: &str = "UklGRjIAAABXRUJQVlA4ICYAAABwAQCdASoDAAIADMDOJaACdAFAAAD+3FHSXS5Df6u/O36ntgAAAA==";
const LOSSLESS_WEBP: &str = "UklGRhwAAABXRUJQVlA4TA8AAAAvAkAAAAcQ/Y/+ByKi/wEA";
const ANIMATED_WEBP: &str = "UklGRoQAAABXRUJQVlA4WAoAAAACAAAAAgAAAQAAQU5JTQYAAAAAAAAAAABBTk1GKAAAAAAAAAAAAAIAAAEAAAAAAAJWUDhMDwAAAC8CQAAABxD9j/4HIqL/AQBBTk1GKAAAAAAAAAAAAAIAAAEAAAAAAABWUDhMDwAAAC8CQAAABxDR//4HIqL/AQA=";

const ALL: [&str; 8] = [PNG, JPEG, PROGRESSIVE_JPEG, GIF, ANIMATED_GIF, WEBP, LOSSLESS_WEBP, ANIMATED_WEBP];

fn bytes(image: &str) -> Vec<u8> {
    STANDARD.decode(image).unwrap()
}

#[test]
fn whole_images_are_taken() {
    for image in ALL {
        let bytes = bytes(image);
        let format = Format::of(&bytes).unwrap();
        assert_eq!(format.size(&bytes), Some((3, 2)), "{format:?}");
        let part = part_of_base64(image).unwrap();
        assert_eq!(part, super::part(&bytes).unwrap());
        assert_eq!(part, Part::Image { mime_type: format.mime_type().into(), data: image.into() });
        let behind = [bytes.as_slice(), b"what a camera adds"].concat();
        check(&behind).unwrap();
    }
}

#[test]
fn an_image_that_is_cut_anywhere_is_refused() {
    for image in ALL {
        let bytes = bytes(image);
        for n in 0..bytes.len() {
            // A byte less than a padding byte is nothing that a decoder would miss.
            let refused = check(&bytes[..n]);
            assert!(refused.is_err(), "{n} of {} bytes: {refused:?}", bytes.len());
        }
    }
}

#[test]
fn a_signature_with_noise_behind_it_is_refused() {
    let noise: Vec<u8> = (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for image in ALL {
        let signature = &bytes(image)[..if image.starts_with("Ukl") { 12 } else { 8 }];
        let error = check(&[signature, &noise].concat()).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
    }
    assert_eq!(check(&noise), Err(ImageError::Unknown));
    assert_eq!(check(b""), Err(ImageError::Unknown));
}

#[test]
fn an_image_with_a_side_that_services_refuse_is_refused() {
    let sized = |width: u32, height: u32| {
        let mut png = bytes(PNG);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        check(&png)
    };
    assert_eq!(sized(8_000, 8_000), Ok("image/png"));
    assert_eq!(sized(9_000, 10), Err(ImageError::TooManyPixels { width: 9_000, height: 10 }));
    assert_eq!(sized(10, 9_000), Err(ImageError::TooManyPixels { width: 10, height: 9_000 }));
    assert_eq!(sized(0, 10), Err(ImageError::Damaged { format: "PNG" }));
}

#[test]
fn what_is_too_large_or_no_base64_is_refused() {
    let error = part_of_base64(&"A".repeat(5_000_000)).unwrap_err();
    assert_eq!(error, ImageError::TooLarge { n_bytes: 3_750_000 });
    assert_eq!(part_of_base64("data:image/png;base64,iVBORw0KGgo="), Err(ImageError::NotBase64));
    let large = [bytes(JPEG), vec![0; 3 << 20]].concat();
    assert!(matches!(part(&large), Err(ImageError::TooLarge { .. })));
}
