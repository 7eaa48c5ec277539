"""The little that the front has to understand of SQL: where an INSERT's data begins, the FORMAT clause, and the one
system table that only the front can answer."""

import dataclasses
import re

from errors import SYNTAX_ERROR, UNKNOWN_TYPE_OF_QUERY, ClickHouseError

# ClickHouse's own max_query_size: a statement's text ends within it, data does not count.
MAX_QUERY_BYTES = 262144

# Bytes, because data that is no text may follow. A string that does not end matches as a single quote: the engine will
# say what is wrong with it.
_TOKEN = re.compile(
    rb"""(?P<blank>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
    |(?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
    |(?P<word>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<other>.)""", re.DOTALL | re.VERBOSE)


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: bytes
    start: int
    end: int
    depth: int

    def is_word(self, *words: bytes) -> bool:
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: bytes):
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind == "blank":
            continue
        text = match.group()
        if text in (b"(", b"[", b"{"):
            depth += 1
        yield Token(kind, text, match.start(), match.end(), depth)
        if text in (b")", b"]", b"}"):
            depth -= 1


def first_word(sql: bytes) -> bytes:
    for token in tokens(sql):
        if token.text != b"(":
            return token.text.upper() if token.kind == "word" else b""
    return b""


@dataclasses.dataclass(frozen=True)
class Insert:
    """An INSERT whose rows come as data. `target` is the text before SETTINGS, `settings` from there to the format."""

    target: str
    settings: str
    format: str
    data_start: int

    def reading_from(self, path: str) -> str:
        return f"{self.target} FROM INFILE '{path}' COMPRESSION 'none' {self.settings} FORMAT {self.format}"


def parse_insert(sql: bytes) -> Insert | None:
    """The INSERT at the beginning of `sql`, which data may follow.

    None for any other statement, INSERT … SELECT too, and for one with neither FORMAT nor VALUES: the engine refuses
    that one itself.
    """
    stream = tokens(sql)
    first = next(stream, None)
    if first is None or not first.is_word(b"INSERT"):
        return None
    named = False
    settings_start = previous = None
    for token in stream:
        if not named:
            # The table's name may be any word, `format` too.
            named = not token.is_word(b"INTO", b"TABLE", b"FUNCTION")
        elif previous is not None and previous.text == b"." and token.depth == 0:
            pass
        elif token.is_word(b"SELECT", b"WITH") and (token.depth == 0 or (previous.text == b"(" and token.depth == 1)):
            return None
        elif token.depth == 0:
            if token.is_word(b"INFILE"):
                raise ClickHouseError(UNKNOWN_TYPE_OF_QUERY, "Query has infile and was send directly to server.")
            if token.is_word(b"SETTINGS") and settings_start is None:
                settings_start = token.start
            if token.is_word(b"VALUES"):
                return _insert(sql, settings_start, token.start, "Values", token.end)
            if token.is_word(b"FORMAT"):
                name = next(stream, None)
                if name is None or name.kind != "word":
                    raise ClickHouseError(SYNTAX_ERROR, "Syntax error: FORMAT has no name.")
                data_start = name.end if name.text.upper() == b"VALUES" else _after_line(sql, name.end)
                return _insert(sql, settings_start, token.start, name.text.decode(), data_start)
        previous = token
    return None


def _insert(sql: bytes, settings_start: int | None, end: int, format: str, data_start: int) -> Insert:
    if end > MAX_QUERY_BYTES:
        raise ClickHouseError(SYNTAX_ERROR, f"Max query size exceeded ({MAX_QUERY_BYTES} bytes).")
    target_end = end if settings_start is None else settings_start
    try:
        return Insert(sql[:target_end].decode(), sql[target_end:end].decode(), format, data_start)
    except UnicodeDecodeError:
        raise ClickHouseError(SYNTAX_ERROR, "Syntax error: the statement is not UTF-8.") from None


def _after_line(sql: bytes, position: int) -> int:
    """ClickHouse: data begins after the blanks behind the format's name and one line end."""
    position += len(re.match(rb"[ \t\f]*", sql[position:]).group())
    return position + len(re.match(rb"\r?\n?", sql[position:]).group())


def output_format(sql: bytes, default_format: str) -> str:
    """The name in the FORMAT clause that ends a query, for the reply's headers; the engine itself obeys the clause."""
    found = default_format
    previous = None
    for token in tokens(sql):
        if previous is not None and previous.is_word(b"FORMAT") and previous.depth == 0 and token.kind == "word":
            found = token.text.decode()
        previous = token
    return found


PROCESSES_COLUMNS = ("query_id String, initial_query_id String, user String, current_database String, elapsed Float64, "
                     "is_initial_query UInt8, is_cancelled UInt8, query String")


def with_processes(sql: bytes, rows: list[tuple]) -> bytes:
    """Puts the front's own list in the place of `system.processes`.

    The engine takes no query_id from its caller, so its own table shows ids that no client knows; and it sees an INSERT
    only once its body is complete. Every query passes through the front, which knows both.
    """
    if first_word(sql) not in (b"SELECT", b"WITH"):
        return sql
    values = ", ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in rows)
    table = f"(SELECT * FROM values('{PROCESSES_COLUMNS}', {values}))".encode()
    result, copied, last = b"", 0, [None, None]
    for token in tokens(sql):
        system, dot = last
        if (dot is not None and system is not None and dot.text == b"." and _name(system) == b"system"
                and _name(token) == b"processes"):
            result += sql[copied:system.start] + table
            copied = token.end
        last = [dot, token]
    return result + sql[copied:]


def _name(token: Token) -> bytes:
    return token.text.strip(b"`\"") if token.kind in ("word", "quoted") else b""


def _literal(value: str | int | float) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
