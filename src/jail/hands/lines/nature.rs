//! What a file is, as its first bytes tell it: text, packed text, or neither.

/// How many of the first bytes are looked at.
pub(super) const HEAD_BYTES: usize = 8 * 1024;
/// Of text without NUL bytes at most one byte in so many controls something.
const TEXT_BYTES_A_CONTROL: usize = 8;
/// A mark of UTF-8 that some programs put before a text.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Bytes whose lines end with one byte, in UTF-8 or something older.
    Text,
    Utf16 {
        big: bool,
        mark: bool,
    },
    Gzip,
    Zstandard,
    Xz,
    Bzip2,
    Html,
    Pdf,
    Binary(&'static str),
}

impl Nature {
    pub(super) fn of(head: &[u8]) -> Self {
        if let Some(packed) = packed(head) {
            return packed;
        }
        if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
            return Self::Binary("text in UTF-32");
        }
        match head {
            [0xff, 0xfe, ..] => return Self::Utf16 { big: false, mark: true },
            [0xfe, 0xff, ..] => return Self::Utf16 { big: true, mark: true },
            _ => {}
        }
        if head.contains(&0) {
            return utf16_by_shape(head).unwrap_or_else(|| Self::Binary(binary(head)));
        }
        if too_many_controls(head) {
            return Self::Binary(binary(head));
        }
        if is_html(head) { Self::Html } else { Self::Text }
    }

    /// What it is, where no text is made out of it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Utf16 { .. } => "text in UTF-16",
            Self::Gzip => "packed with gzip",
            Self::Zstandard => "packed with zstd",
            Self::Xz => "packed with xz",
            Self::Bzip2 => "packed with bzip2",
            Self::Html => "an HTML page",
            Self::Pdf => "a PDF",
            Self::Binary(what) => what,
        }
    }
}

fn packed(head: &[u8]) -> Option<Nature> {
    #[rustfmt::skip]
    let table: &[(&[u8], Nature)] = &[
        (b"\x1f\x8b\x08",         Nature::Gzip),
        (b"\x28\xb5\x2f\xfd",     Nature::Zstandard),
        (b"\xfd7zXZ\0",           Nature::Xz),
        (b"%PDF-",                Nature::Pdf),
    ];
    // The digit says how large its blocks are; then comes pi.
    let is_bzip2 = head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY");
    if is_bzip2 {
        return Some(Nature::Bzip2);
    }
    // Some put a frame before it that holds nothing.
    if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = head {
        return Some(Nature::Zstandard);
    }
    table.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, nature)| nature.clone())
}

/// UTF-16 without its mark: of what is mostly written in ASCII every other byte is NUL.
fn utf16_by_shape(head: &[u8]) -> Option<Nature> {
    let pairs = head.len() / 2;
    if pairs < 4 {
        return None;
    }
    let zeros = |odd: usize| head.chunks_exact(2).filter(|pair| pair[odd] == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let (high, low) = (even.max(odd), even.min(odd));
    if high < pairs * 3 / 4 || pairs / 50 < low {
        return None;
    }
    let big = odd < even;
    let letters: Vec<u8> = head.chunks_exact(2).map(|pair| pair[usize::from(big)]).collect();
    (!too_many_controls(&letters)).then_some(Nature::Utf16 { big, mark: false })
}

fn too_many_controls(bytes: &[u8]) -> bool {
    let controls = bytes
        .iter()
        .filter(|byte| byte.is_ascii_control() && !b"\t\n\r\x0c\x1b\x08".contains(byte))
        .count();
    bytes.len() < controls * TEXT_BYTES_A_CONTROL
}

/// Whether it begins as a page, after whatever else may come before that.
fn is_html(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(UTF8_MARK).unwrap_or(head).trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"<!--") {
        let Some(end) = memchr::memmem::find(comment, b"-->") else { return false };
        rest = comment[end + 3..].trim_ascii_start();
    }
    let begins =
        |with: &[u8]| rest.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
    begins(b"<!doctype html") || begins(b"<html")
}

/// What binary bytes look like, in words.
fn binary(head: &[u8]) -> &'static str {
    #[rustfmt::skip]
    let table: &[(usize, &[u8], &str)] = &[
        // at   bytes                      what
        (0,    b"\x7fELF",                "an ELF program or library"),
        (0,    b"MZ",                     "a Windows program"),
        (0,    b"\xfe\xed\xfa\xce",       "a Mach-O program"),
        (0,    b"\xfe\xed\xfa\xcf",       "a Mach-O program"),
        (0,    b"\xcf\xfa\xed\xfe",       "a Mach-O program"),
        (0,    b"\xce\xfa\xed\xfe",       "a Mach-O program"),
        (0,    b"\xca\xfe\xba\xbe",       "a Java class"),
        (0,    b"\0asm",                  "a WebAssembly module"),
        (0,    b"!<arch>\n",              "an archive of objects"),
        (0,    b"\x89PNG\r\n\x1a\n",      "a PNG image"),
        (0,    b"\xff\xd8\xff",           "a JPEG image"),
        (0,    b"GIF8",                   "a GIF image"),
        (8,    b"WEBP",                   "a WebP image"),
        (0,    b"BM",                     "a BMP image"),
        (0,    b"II*\0",                  "a TIFF image"),
        (0,    b"MM\0*",                  "a TIFF image"),
        (0,    b"\0\0\x01\0",             "an icon"),
        (0,    b"8BPS",                   "a Photoshop image"),
        (0,    b"PK\x03\x04",             "a ZIP archive (also jar, docx, xlsx, apk)"),
        (0,    b"PK\x05\x06",             "an empty ZIP archive"),
        (257,  b"ustar",                  "a tar archive"),
        (0,    b"7z\xbc\xaf\x27\x1c",     "a 7z archive"),
        (0,    b"Rar!\x1a\x07",           "a RAR archive"),
        (0,    b"\x04\x22\x4d\x18",       "packed with LZ4"),
        (0,    b"\xff\x06\0\0sNaPpY",     "packed with Snappy"),
        (0,    b"SQLite format 3\0",      "an SQLite database"),
        (0,    b"PAR1",                   "a Parquet table"),
        (0,    b"Obj\x01",                "an Avro file"),
        (0,    b"ORC",                    "an ORC table"),
        (0,    b"\x89HDF\r\n\x1a\n",      "an HDF5 file"),
        (0,    b"\x93NUMPY",              "a NumPy array"),
        (0,    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an older Office document"),
        (0,    b"\xd4\xc3\xb2\xa1",       "a capture of packets (pcap)"),
        (0,    b"\xa1\xb2\xc3\xd4",       "a capture of packets (pcap)"),
        (0,    b"\x0a\x0d\x0d\x0a",       "a capture of packets (pcapng)"),
        (0,    b"JAVA PROFILE",           "a Java heap dump"),
        (0,    b"FLR\0",                  "a Java flight recording"),
        (0,    b"PERFILE2",               "a perf recording"),
        (0,    b"LPKSHHRH",               "a systemd journal"),
        (0,    b"DIRC",                   "an index of git"),
        (0,    b"PACK\0\0\0",             "a pack of git"),
        (0,    b"\xfftOc",                "an index of a pack of git"),
        (0,    b"OggS",                   "sound (Ogg)"),
        (0,    b"ID3",                    "sound (MP3)"),
        (0,    b"fLaC",                   "sound (FLAC)"),
        (8,    b"WAVE",                   "sound (WAV)"),
        (4,    b"ftyp",                   "a film or image (MP4, MOV, HEIC)"),
        (0,    b"\x1aE\xdf\xa3",          "a film (Matroska, WebM)"),
        (0,    b"wOFF",                   "a font"),
        (0,    b"wOF2",                   "a font"),
        (0,    b"OTTO",                   "a font"),
        (0,    b"\0\x01\0\0\0",           "a font"),
        (1080, b"\x53\xef",               "an ext filesystem"),
    ];
    let found = table
        .iter()
        .find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    match found {
        Some((.., what)) => what,
        None if head.iter().all(|byte| *byte == 0) => "nothing but zeros, where it begins",
        None => "binary data of a kind that is not known",
    }
}

#[cfg(test)]
mod tests {
    use super::Nature;

    #[test]
    fn a_file_is_told_by_how_it_begins() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let pair = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            text.encode_utf16().flat_map(pair).collect()
        };
        let utf16_text = "2026-01-01 an event\r\nanother event\r\n";
        let tar = [vec![b'a'; 10], vec![0; 247], b"ustar".to_vec()].concat();
        #[rustfmt::skip]
        let table: Vec<(Vec<u8>, Nature)> = vec![
            (b"".to_vec(),                            Nature::Text),
            (b"fn main() {}\n".to_vec(),              Nature::Text),
            ("caf\u{e9}\n".into(),                    Nature::Text),
            (b"caf\xe9 au lait\n".to_vec(),           Nature::Text),
            (b"\x1b[31mred\x1b[0m\n".to_vec(),        Nature::Text),
            (b"MZ is how this text begins\n".to_vec(), Nature::Text),
            (b"BM and GIF8 too".to_vec(),             Nature::Text),
            (b"a\0b".to_vec(),                        Nature::Binary("binary data of a kind that is not known")),
            (b"\x01\x02\x03\x04".to_vec(),            Nature::Binary("binary data of a kind that is not known")),
            (vec![0; 100],                            Nature::Binary("nothing but zeros, where it begins")),
            (b"\x7fELF\x02\x01\x01\0".to_vec(),       Nature::Binary("an ELF program or library")),
            (b"\x89PNG\r\n\x1a\n\0\0".to_vec(),       Nature::Binary("a PNG image")),
            (tar,                                     Nature::Binary("a tar archive")),
            (b"\xff\xfe\0\0a\0\0\0".to_vec(),         Nature::Binary("text in UTF-32")),
            (utf16(utf16_text, false),                Nature::Utf16 { big: false, mark: false }),
            (utf16(utf16_text, true),                 Nature::Utf16 { big: true, mark: false }),
            (utf16("\u{feff}\u{65e5}", false),        Nature::Utf16 { big: false, mark: true }),
            (utf16("\u{feff}\u{65e5}", true),         Nature::Utf16 { big: true, mark: true }),
            (b"\x1f\x8b\x08\0".to_vec(),              Nature::Gzip),
            (b"\x28\xb5\x2f\xfd\x04".to_vec(),        Nature::Zstandard),
            (b"\x52\x2a\x4d\x18\0".to_vec(),        Nature::Zstandard),
            (b"\xfd7zXZ\0\0".to_vec(),                Nature::Xz),
            (b"BZh91AY&SY\0".to_vec(),                Nature::Bzip2),
            (b"BZhang wrote this\n".to_vec(),         Nature::Text),
            (b"%PDF-1.7\n".to_vec(),                  Nature::Pdf),
            (b" <!-- saved -->\n<!DOCTYPE HTML>".to_vec(), Nature::Html),
            (b"\xef\xbb\xbf<html lang=en>".to_vec(),  Nature::Html),
            (b"<!-- never closed <html>".to_vec(),    Nature::Text),
            (b"<htm".to_vec(),                        Nature::Text),
        ];
        for (head, want) in table {
            assert_eq!(Nature::of(&head), want, "{}", head.escape_ascii());
        }
    }
}
