"""Small contents of each type that is taken, and of some that are not: enough of each to be told by."""

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU" + b"\x00" * 40
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\x00" * 80 + b"\xff\xd9"
MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00" + b"\x00" * 80
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + b"\x00" * 80
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n" + b" " * 40
ZIP = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00[Content_Types].xml" + b"\x00" * 60
AMR = b"#!AMR\n\x3c" + b"\x00" * 80

SAMPLES = {
    "image/jpeg": JPEG,
    "image/png": PNG,
    "image/gif": b"GIF89a\x01\x00\x01\x00" + b"\x00" * 60,
    "image/webp": b"RIFF\x1a\x00\x00\x00WEBPVP8L" + b"\x00" * 60,
    "audio/amr": AMR,
    "audio/amr-wb": b"#!AMR-WB\n\x04" + b"\x00" * 60,
    "audio/mpeg": MP3,
    "video/mp4": MP4,
    "application/pdf": PDF,
    "application/zip": ZIP,
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 60,
    "audio/mp4": b"\x00\x00\x00\x18ftypM4A \x00\x00\x02\x00M4A mp42" + b"\x00" * 60,
    "audio/ogg": b"OggS\x00\x02" + b"\x00" * 60,
    "audio/wav": b"RIFF\x1a\x00\x00\x00WAVEfmt " + b"\x00" * 60,
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  " + b"\x00" * 60,
    "application/x-ole-storage": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 80,
}

HTML = b"<!DOCTYPE html><script>alert(document.cookie)</script>" + b" " * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>' + b" " * 40
EXECUTABLE = b"MZ\x90\x00\x03\x00\x00\x00" + b"\x00" * 80
