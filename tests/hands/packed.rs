//! Files whose text is made: packed ones, pages and PDFs; and such as were made to
//! harm whoever unpacks them.

use std::io::Write;
use std::time::{Duration, Instant};

use casefile::jail::hands::wire::Told;
use casefile::tools::{Place, ReadFile, read_file};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::ground::Ground;
use crate::read_file::{part, read, told};

const XZ: &[u8] = b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x02\x00!\x01\x16\x00\x00\x00t/\xe5\xa3\x01\x00\x16first line\nsecond line\n\x00\x00\x12\xe91\xef\xb2\xa2\xdad\x00\x01/\x17\x81\x08I\xb1\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ";
const BZIP2: &[u8] = b"BZh91AY&SY\x8b\x13\xe1\x84\x00\x00\x04\xd1\x80\x00\x10@\x00\x0f%\x9c\x00 \x00!\xa121\x94 \x1a\x00\x91*1\x95h\xcb\x04\x82\xfdW\xf1w$S\x85\t\x08\xb1>\x18@";
const ZSTD: &[u8] = b"(\xb5/\xfd$\x17\xb9\x00\x00first line\nsecond line\n\x1f;\xb8\xa0";
/// The same text, said to need 1.5 GiB to be unpacked.
const XZ_LARGE: &[u8] = b"\xfd7zXZ\x00\x00\x01i\"\xde6\x02\x00!\x01%\x00\x00\x00;x{A\x01\x00\x16first line\nsecond line\n\x00\x00,ZE]\x00\x01+\x17\x85\xcd%\xd5\x90B\x99\r\x01\x00\x00\x00\x00\x01YZ";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

#[test]
fn packed_files_are_read_through() {
    let mut ground = Ground::new();
    let gz = gzip(b"first line\nsecond line\n");
    // Empty frames, and frames that hold nothing, come between others.
    let skipped: &[u8] = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let frames = [skipped, ZSTD, skipped, ZSTD].concat();
    let table: &[(&str, &[u8], &str)] =
        &[("gz", &gz, "gzip"), ("xz", XZ, "xz"), ("bz2", BZIP2, "bzip2"), ("zst", ZSTD, "zstd")];
    for (name, packed, by) in table {
        // Two of them, one after the other, are one longer text.
        ground.put(format!("case/{name}"), packed);
        ground.put(format!("case/{name}.twice"), [*packed, *packed].concat());
        ground.put(format!("case/{name}.cut"), &packed[..packed.len() - 12]);
        let got = read(&mut ground, &[part(name, 1, None)]);
        let size = packed.len();
        assert_eq!(
            got,
            format!(
                "{name}: 2 lines, {size} B, unpacked from {by}\n1\tfirst line\n2\tsecond line\n"
            )
        );
        let got = read(&mut ground, &[part(&format!("{name}.twice"), -1, None)]);
        assert!(got.contains("lines 4-4 of 4") && got.ends_with("\n4\tsecond line\n"), "{got}");
        let got = read(&mut ground, &[part(&format!("{name}.cut"), 1, None)]);
        assert!(
            got.contains(&format!("unpacked from {by}; broken after ")) || got.contains("empty"),
            "{got}"
        );
        let raw = ReadFile { parts: vec![part(name, 1, None)], raw: true };
        let got = told(read_file(
            &raw,
            &mut Place { hands: &mut ground.hands, base: b"/case", stop: None },
        ));
        assert!(
            got.starts_with(&format!("{name}: packed with {by}, {size} B, not shown as text\n")),
            "{got}"
        );
    }
    ground.put("case/frames", frames);
    assert!(read(&mut ground, &[part("frames", 4, 1)]).ends_with("\n4\tsecond line\n"));
    // What is within is looked at as a file is.
    ground.put("case/tar.gz", gzip(&[vec![b'a'; 10], vec![0; 247], b"ustar".to_vec()].concat()));
    ground.put("case/twice.gz", gzip(&gz));
    let utf16: Vec<u8> =
        "größer\n".repeat(2_000).encode_utf16().flat_map(u16::to_be_bytes).collect();
    ground.put("case/utf16.gz", gzip(&utf16));
    insta::assert_snapshot!(read(&mut ground, &[part("tar.gz", 1, None)]), @r#"
    tar.gz: a tar archive, 40 B, not shown as text
    next: shell command="tar tvf 'tar.gz' | head -50"
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("twice.gz", 1, None)]), @r#"
    twice.gz: packed with gzip, 61 B, not shown as text
    next: shell command="xxd -l 256 'twice.gz'"
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("utf16.gz", -1, None)]), @r#"
    utf16.gz: lines 2000-2000 of 2,000, 256 B, unpacked from gzip, in UTF-16BE
    2000	größer
    "#);
}

#[test]
fn a_bomb_is_unpacked_so_far_and_no_further() {
    let mut ground = Ground::new();
    // A gigabyte in a few megabytes, and one of them that is a single line.
    let member = gzip("a line\n".repeat(150_000).as_bytes());
    ground.put("case/bomb.gz", member.repeat(1_000));
    ground.put("case/line.gz", gzip(&vec![b'x'; 1 << 20]).repeat(1_000));
    let began = Instant::now();
    let got = read(&mut ground, &[part("bomb.gz", 1, 1)]);
    assert!(got.contains("\n1\ta line\n"), "{got}");
    // The beginning does not wait for the rest.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    ground.hands.set_patience(Duration::from_secs(5));
    let got = loop {
        let got = read(&mut ground, &[part("bomb.gz", -1, None)]);
        // A slow machine needs to be asked more than once.
        if !got.contains("Ask again") {
            break got;
        }
    };
    assert!(got.contains("; only the first 128 MiB that come out of it are read here"), "{got}");
    let got = read(&mut ground, &[part("line.gz", 1, None)]);
    assert!(got.contains("…["), "{got}");
    // Memory that a packed file asks for is not given.
    ground.put("case/large.xz", XZ_LARGE);
    insta::assert_snapshot!(read(&mut ground, &[part("large.xz", 1, None)]), @r#"large.xz: empty, 76 B, unpacked from xz; broken after 0 B of what comes out of it: needed memory too big for mem_limit_kb"#);
    assert!(matches!(
        ground.hands.lines(&casefile::jail::hands::wire::LinesAsked {
            path: b"/case/large.xz"[..].into(),
            from: 1,
            lines: 1,
            skip: 0,
            bytes_max: 1,
            line_bytes_max: 1,
            form: casefile::jail::hands::wire::Form::Text,
        }),
        Ok(Told::Lines(_))
    ));
}

#[test]
fn a_page_is_text_where_it_is_evidence_and_source_where_it_is_code() {
    let mut ground = Ground::new();
    for dir in ["case/repos", "case/evidence"] {
        std::fs::create_dir(ground.host(dir)).unwrap();
    }
    let page = "<!doctype html><html><head><title>T</title><style>p {}</style><script>alert(1)</script></head>\n<body><h1>Outage</h1><p>It was <b>down</b> for\n5 minutes.</p><table><tr><td>a</td><td>b</td></tr></table></body></html>\n";
    ground.put("case/repos/page.html", page);
    ground.put("case/evidence/page.html", page);
    insta::assert_snapshot!(read(&mut ground, &[part("evidence/page.html", 1, None)]), @r#"
    evidence/page.html: 7 lines, 215 B, HTML as text (raw=true for the source)
    1	# Outage
    2	
    3	It was **down** for 5 minutes.
    4	
    5	─┬─
    6	a│b
    7	─┴─
    "#);
    let got = read(&mut ground, &[part("repos/page.html", 1, 1)]);
    assert!(got.ends_with("1\t<!doctype html><html><head><title>T</title><style>p {}</style><script>alert(1)</script></head>\n"), "{got}");
    // Nested deeper than anybody means it.
    let began = Instant::now();
    ground.put(
        "case/evidence/deep.html",
        format!("<html>{}x", "<div><table><tr><td>".repeat(20_000)),
    );
    let asked = ReadFile { parts: vec![part("evidence/deep.html", 1, None)], raw: false };
    let _ = read_file(&asked, &mut Place { hands: &mut ground.hands, base: b"/case", stop: None });
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// A PDF of pages with these words.
fn pdf(pages: &[&str]) -> Vec<u8> {
    use lopdf::content::{Content, Operation};
    use lopdf::{Document, Object, Stream, dictionary};
    let mut document = Document::with_version("1.5");
    let all = document.new_object_id();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier",
    });
    let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
    let kids: Vec<Object> = pages
        .iter()
        .map(|text| {
            let operations = vec![
                Operation::new("BT", vec![]),
                Operation::new("Tf", vec!["F1".into(), 12.into()]),
                Operation::new("Tj", vec![Object::string_literal(*text)]),
                Operation::new("ET", vec![]),
            ];
            let content = Content { operations }.encode().unwrap();
            let content = document.add_object(Stream::new(dictionary! {}, content));
            let page = document.add_object(dictionary! {
                "Type" => "Page", "Parent" => all, "Contents" => content, "Resources" => resources,
                "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
            });
            page.into()
        })
        .collect();
    let count = kids.len() as i64;
    document.objects.insert(
        all,
        Object::Dictionary(dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }),
    );
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => all });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_pdf_is_text_page_by_page_and_a_broken_one_is_named() {
    let mut ground = Ground::new();
    let whole = pdf(&["Report of the outage", "", "The end"]);
    ground.put("case/report.pdf", &whole);
    ground.put("case/broken.pdf", b"%PDF-1.7\nnothing of the kind");
    let got = read(&mut ground, &[part("report.pdf", 1, None)]);
    insta::assert_snapshot!(got.replace(&format!("{} B", whole.len()), "some B"), @r#"
    report.pdf: 6 lines, some B, PDF as text
    1	--- page 1 of 3 ---
    2	Report of the outage
    3	--- page 2 of 3 ---
    4	(no text on this page)
    5	--- page 3 of 3 ---
    6	The end
    "#);
    insta::assert_snapshot!(read(&mut ground, &[part("broken.pdf", 1, None)]), @r#"
    broken.pdf: a PDF that is locked, broken or too large to be made text, 28 B, not shown as text
    next: shell command="xxd -l 256 'broken.pdf'"
    "#);
    // Whatever one byte is changed to, there is an answer, and then another.
    for at in (0..whole.len()).step_by(17) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        ground.put("case/changed.pdf", &bytes);
        let got = read(&mut ground, &[part("changed.pdf", 1, None)]);
        assert!(got.starts_with("changed.pdf: "), "{at}: {got}");
    }
}
