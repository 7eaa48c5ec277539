"""ClickHouse's errors: a number, a name, a sentence, and the HTTP status that a real server gives them."""

import re

# The numbers that the front itself gives. Names and numbers are ClickHouse's own (src/Common/ErrorCodes.cpp).
NOT_IMPLEMENTED = (48, "NOT_IMPLEMENTED")
SYNTAX_ERROR = (62, "SYNTAX_ERROR")
UNKNOWN_TYPE_OF_QUERY = (78, "UNKNOWN_TYPE_OF_QUERY")
INCORRECT_DATA = (117, "INCORRECT_DATA")
TIMEOUT_EXCEEDED = (159, "TIMEOUT_EXCEEDED")
TOO_MANY_SIMULTANEOUS_QUERIES = (202, "TOO_MANY_SIMULTANEOUS_QUERIES")
SOCKET_TIMEOUT = (209, "SOCKET_TIMEOUT")
QUERY_WITH_SAME_ID = (216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING")
BAD_REQUEST_PARAMETER = (36, "BAD_ARGUMENTS")
LIMIT_EXCEEDED = (290, "LIMIT_EXCEEDED")
AUTHENTICATION_FAILED = (516, "AUTHENTICATION_FAILED")
# What ClickHouse calls an error of the C++ library, which has no number of its own.
STD_EXCEPTION = (1001, "STD_EXCEPTION")

# As src/Server/HTTP/exceptionCodeToHTTPStatus.cpp has it; every other number is 500.
STATUS_BY_CODE = {
    194: 401,  # REQUIRED_PASSWORD
    **dict.fromkeys((192, 193, 497, 512, 516), 403),
    **dict.fromkeys((6, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 223, 224, 376, 427, 441, 631, 675,
                     676, 691), 400),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 155, 336, 511), 404),
    159: 408,
    381: 411,
    223: 413,
    48: 501,
    **dict.fromkeys((76, 209, 439), 503),
}


class ClickHouseError(Exception):
    """An error as the client sees it."""

    def __init__(self, kind: tuple[int, str], text: str, version: str = "") -> None:
        self.code, self.label = kind
        self.text = text
        super().__init__(text)

    @property
    def status(self) -> int:
        return STATUS_BY_CODE.get(self.code, 500)

    def body(self, version: str) -> bytes:
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.label}) (version {version})\n".encode()


# What the engine says: "Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA)". For the data of an
# INSERT it wraps that once more, and names the file which only the front knows of.
_PREFIX = re.compile(r"^(?:Code: (\d+)\. DB::Exception: )+", re.DOTALL)
_SUFFIX = re.compile(r"(?:\s*\(version [^)]*\)|\s*\(([A-Z][A-Z0-9_]+)\)|\.(?=\s*\([A-Z]))+\.?\s*$")
_OUR_FILE = re.compile(r"\s*\(in file/uri /proc/self/fd/\d+\)|: data for INSERT was parsed from file")


def from_engine(text: str) -> ClickHouseError:
    prefix = _PREFIX.match(text)
    if prefix is None:
        return ClickHouseError(STD_EXCEPTION, text.strip())
    rest = text[prefix.end():]
    label = "UNKNOWN"
    suffix = _SUFFIX.search(rest)
    if suffix:
        labels = re.findall(r"\(([A-Z][A-Z0-9_]+)\)", suffix.group())
        label = labels[-1] if labels else label
        rest = rest[:suffix.start()]
    return ClickHouseError((int(prefix.group(1)), label), _OUR_FILE.sub("", rest).rstrip(". \n") + ".")
