"""Files of text: UTF-8, or an error that says what they are instead and what to do."""

import codecs

# In this order: the mark of UTF-32 begins like that of UTF-16.
_MARKS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


def decode(data: bytes, where: str) -> str:
    """A text in UTF-8, without the mark that some editors put before it.

    Args:
        data: of a file, or of a line of it.
        where: what an error calls it.

    Raises:
        ValueError: it is no UTF-8; the message names the encoding, if it is known, and what to do.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: {not_utf8(data, error.reason)}") from None


def not_utf8(begin: bytes, reason: str) -> str:
    """The end of an error: what a text is instead of UTF-8, and what to do.

    Args:
        begin: its first bytes.
        reason: of the decoder.
    """
    for name, marks in _MARKS.items():
        if begin.startswith(marks):
            # What `>` of Windows PowerShell 5 writes.
            return f"the file is in {name}, not in UTF-8; save it as UTF-8 (PowerShell: `Out-File -Encoding utf8`)."
    return f"not UTF-8 ({reason}); save the file as UTF-8."
