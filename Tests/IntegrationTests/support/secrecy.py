"""Everything the program prints is searched for every secret that the tests know."""

from pathlib import Path


class Secrets:
    def __init__(self):
        self.known = {}

    def add(self, name, value):
        if value and len(value) >= 8:
            self.known[value.lower()] = name

    def check(self, text, where):
        """Fails when `text` holds a secret, in either case; the message names the secret and never quotes it."""
        lowered = text.lower()
        found = sorted({name for value, name in self.known.items() if value in lowered})
        assert not found, f"{where} holds {', '.join(found)}"

    def check_file(self, path):
        if Path(path).exists():
            self.check(Path(path).read_text(errors="replace"), str(path))
