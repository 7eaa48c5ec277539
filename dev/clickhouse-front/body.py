"""Request bodies: read whole, decompressed, into a file in memory.

An insert is handed to the engine only when its body is complete. So a body that is cut short, by a lost connection or
inside its compression, inserts nothing, whatever the engine would have made of the part that came.
"""

import mmap
import os
import zlib
from typing import BinaryIO, Iterator

import lz4.frame
import zstandard

from errors import INCORRECT_DATA, LIMIT_EXCEEDED, NOT_IMPLEMENTED, ClickHouseError

# Larger than any sensible insert; a body is memory of this machine.
MAX_BODY_BYTES = 1 << 30
READ_BYTES = 1 << 20
# Of a compressed body less at a time: what one step unpacks is in memory at once, for deflate up to 1032 times as much.
READ_COMPRESSED_BYTES = 1 << 16
# A chunk's size line: sixteen digits are 64 bits, and extensions are allowed but nobody sends them.
MAX_CHUNK_LINE_BYTES = 1024


class CutShort(Exception):
    """The connection ended before the body did. There is nobody to answer."""


class Body:
    """A complete body as a file in memory (memfd_create(2)). The engine opens it by its path. Close it after use."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("body", os.MFD_CLOEXEC)
        self.size_bytes = 0

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.descriptor}"

    def append(self, data: bytes | memoryview) -> None:
        if self.size_bytes + len(data) > MAX_BODY_BYTES:
            raise ClickHouseError(LIMIT_EXCEEDED, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        view = memoryview(data)
        while view:
            written = os.write(self.descriptor, view)
            self.size_bytes += written
            view = view[written:]

    def head(self, size_bytes: int) -> bytes:
        return os.pread(self.descriptor, size_bytes, 0)

    def append_rest_of(self, other: "Body", offset_bytes: int) -> None:
        while offset_bytes < other.size_bytes:
            # Between two files in memory: nothing passes through Python.
            sent = os.sendfile(self.descriptor, other.descriptor, offset_bytes, other.size_bytes - offset_bytes)
            offset_bytes += sent
            self.size_bytes += sent

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def read(stream: BinaryIO, length: int | None, chunked: bool, encoding: str) -> Body:
    """Reads one request's body; `length` is that of Content-Length."""
    body = Body()
    try:
        if encoding in ("", "identity") and not chunked:
            _read_plain(stream, length or 0, body)
        else:
            step = READ_COMPRESSED_BYTES if encoding else READ_BYTES
            pieces = _chunks(stream, step) if chunked else _pieces(stream, length or 0, step)
            for piece in _decoded(pieces, encoding):
                body.append(piece)
    except BaseException:
        body.close()
        raise
    return body


def _read_plain(stream: BinaryIO, length: int, body: Body) -> None:
    """The fast way: from the socket straight into the file's pages."""
    if length > MAX_BODY_BYTES:
        raise ClickHouseError(LIMIT_EXCEEDED, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    if length == 0:
        return
    os.ftruncate(body.descriptor, length)
    with mmap.mmap(body.descriptor, length) as pages, memoryview(pages) as view:
        received = 0
        while received < length:
            count = stream.readinto(view[received:received + READ_BYTES])
            if not count:
                raise CutShort()
            received += count
    body.size_bytes = length


def _pieces(stream: BinaryIO, length: int, step: int) -> Iterator[bytes]:
    while length > 0:
        piece = stream.read(min(length, step))
        if not piece:
            raise CutShort()
        length -= len(piece)
        yield piece


def _chunks(stream: BinaryIO, step: int) -> Iterator[bytes]:
    """RFC 9112, section 7.1: the last chunk has size 0; trailers may follow it, up to an empty line."""
    while True:
        line = stream.readline(MAX_CHUNK_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise CutShort()
        size_text = line.partition(b";")[0].strip()
        if not size_text or len(size_text) > 16 or not all(byte in b"0123456789abcdefABCDEF" for byte in size_text):
            raise ClickHouseError(INCORRECT_DATA, "The chunked body has a chunk without a size.")
        size = int(size_text, 16)
        if size == 0:
            break
        yield from _pieces(stream, size, step)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise CutShort()
    while (line := stream.readline(MAX_CHUNK_LINE_BYTES)) not in (b"\r\n", b"\n"):
        if not line:
            raise CutShort()


_DECODERS = {
    # 31: the gzip format with the largest window (zlib's manual, inflateInit2).
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lambda: lz4.frame.LZ4FrameDecompressor(),
}


def _decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Undoes Content-Encoding. Several frames one after the other are one body in each of the formats."""
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _DECODERS:
        raise ClickHouseError(NOT_IMPLEMENTED, f"Content-Encoding {encoding!r} is none of {', '.join(_DECODERS)}.")
    # A body of no bytes at all is no frame: only after a first byte can something be missing.
    decoder, inside = _DECODERS[encoding](), False
    for piece in pieces:
        while piece:
            inside = True
            yield _decompress(decoder, piece, encoding)
            piece = b""
            if decoder.eof:
                piece, decoder, inside = decoder.unused_data or b"", _DECODERS[encoding](), False
    if inside:
        raise ClickHouseError(INCORRECT_DATA, f"The {encoding} body ends in the middle of a frame: it was cut short.")


def _decompress(decoder, piece: bytes, encoding: str) -> bytes:
    try:
        return decoder.decompress(piece)
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise ClickHouseError(INCORRECT_DATA, f"The {encoding} body cannot be decompressed: {error}.") from None
