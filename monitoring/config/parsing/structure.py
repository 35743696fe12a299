"""Turns a configuration with comments into plain JSON, and explains syntax errors. Pure."""

from collections.abc import Iterator

from monitoring.config.parsing.positions import TOKEN

CLOSES = {"}": "{", "]": "["}

PYTHON = {"True": "true", "False": "false", "None": "null"}

OTHER_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\xab\xbb"


def as_plain(text: str) -> str | None:
    """The text with blanks in place of comments and trailing commas, so that offsets stay. None: it has an invalid token."""
    pieces: list[str] = []
    before, last, comma, end = "", "", None, 0
    for token in TOKEN.finditer(text):
        if token.start() != end:
            return None
        word, end = token[0], token.end()
        if token["skipped"]:
            pieces.append("".join(letter if letter in "\r\n" else " " for letter in word))
            continue
        if word in CLOSES and last == "," and comma is not None and before not in ("", ",", "{", "["):
            pieces[comma] = " "
        pieces.append(word)
        before, last, comma = last, word, len(pieces) - 1
    return "".join(pieces) if end == len(text) else None


def explain_error(text: str, at: int) -> str | None:
    """Why the text cannot be parsed at this offset, if that is clear from the text; else None."""
    letter = text[at : at + 1]
    if letter in ("\r", "\n"):
        begin = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
        column = text.rfind('"', begin, at) - begin + 1
        return f"the string that begins in column {column} is not closed on its line" if column > 0 else None
    if letter == "#":
        return "a comment begins with //, not with #"
    if letter and letter in OTHER_QUOTES:
        return f'a string needs ", not {letter}'
    for wrong, right in PYTHON.items():
        if text.startswith(wrong, at):
            return f"write {right}, not {wrong}"
    begin = text.rfind("/*")
    if begin >= 0 and at >= len(text.rstrip()) and "*/" not in text[begin + 2 :]:
        return f"the file ends before the comment of line {1 + text.count(chr(10), 0, begin)} is closed"
    return _unbalanced(text, at)


def _unbalanced(text: str, at: int) -> str | None:
    """The bracket that is closed at this offset without being open, or is still open at the end of the text."""
    still_open: list[tuple[str, int]] = []
    for word, start, line in _brackets(text):
        if start > at:
            break
        if word in CLOSES.values():
            still_open.append((word, line))
        elif not still_open:
            return "this bracket was never opened" if start == at else None
        elif still_open[-1][0] != CLOSES[word]:
            opening, opened = still_open[-1]
            return f"{word} does not close the {opening} of line {opened}" if start == at else None
        else:
            still_open.pop()
    if still_open and at >= len(text.rstrip()):
        opening, opened = still_open[-1]
        return f"the file ends before the {opening} of line {opened} is closed"
    return None


def _brackets(text: str) -> Iterator[tuple[str, int, int]]:
    """Each bracket with its offset and its line."""
    line = 1
    for token in TOKEN.finditer(text):
        if token[0] in CLOSES or token[0] in CLOSES.values():
            yield token[0], token.start(), line
        line += token[0].count("\n")
