"""Which encoding a text file is written in. Pure.

UTF-8 and byte order marks are certain. Everything else is a guess: charset-normalizer says which encodings
fit the bytes and how disorderly each reading looks; among those, the reading wins that consists of letters
that its languages use. So no encoding is taken merely because the others failed.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass

ENCODINGS: dict[str, tuple[str, ...]] = {
    "utf-8": ("utf-8",),
    "gb18030": ("gb18030",),
    "big5": ("cp950", "big5hkscs"),
    "shift_jis": ("cp932", "shift_jis_2004"),
    "euc-jp": ("euc_jp", "euc_jis_2004"),
    "iso-2022-jp": ("iso2022_jp", "iso2022_jp_2"),
    "euc-kr": ("cp949",),
    "windows-1252": ("cp1252", "latin_1"),
    "windows-1250": ("cp1250",),
    "windows-1251": ("cp1251",),
    "windows-1253": ("cp1253",),
    "windows-1254": ("cp1254",),
    "windows-1255": ("cp1255",),
    "windows-1256": ("cp1256",),
    "windows-874": ("cp874",),
    "koi8-r": ("koi8_r",),
    "utf-16le": ("utf-16-le",),
    "utf-16be": ("utf-16-be",),
}
"""What people may choose: by its name on the web (encoding.spec.whatwg.org), Python's codecs, widest last."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

SAMPLE_BYTES = 64 * 1024
"""Of the lines that are not plain ASCII: enough for any statistic, and quick."""

GUESSED = {
    # Codec -> the name above. In the order in which equally good readings are preferred.
    "cp1252": "windows-1252",
    "gb18030": "gb18030",
    "cp950": "big5",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "euc_jp": "euc-jp",
    "cp1255": "windows-1255",  # before Cyrillic: only few Russian words are Hebrew letters throughout
    "cp1251": "windows-1251",
    "koi8_r": "koi8-r",
    "cp1250": "windows-1250",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "cp1256": "windows-1256",
    "cp874": "windows-874",
}

PUNCTUATION = frozenset("\xa0‘’‚“”„«»‹›–—…•·°§€£©®™²±×÷µ№")
"""What any European language may have besides letters."""

CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўђјљњћџ"

LETTERS: dict[str, tuple[str, ...]] = {
    # Letters and marks beyond ASCII, for each language or group of them.
    "cp1252": (
        "äöüßé",
        "àâæçéèêëîïôœùûüÿ",
        "áéíóúüñ¿¡ªº",
        "àèéìíòóù",
        "áâãàçéêíóôõúªº",
        "àçèéíïòóúü",
        "åäöæøé",
        "áðéíóúýþæö",
        "äõöüšž",
        "áéëèïóöü",
    ),
    "cp1250": (
        "ąćęłńóśźż",
        "áčďéěíňóřšťúůýž",
        "áäčďéíĺľňóôŕšťúýž",
        "áéíóöőúüű",
        "ăâîşţ",
        "čćđšž",
    ),
    "cp1251": (CYRILLIC,),
    "koi8_r": (CYRILLIC,),
    "cp1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",),
    "cp1254": ("çğıöşüâîûi̇",),
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת״׳־",),
    "cp1256": ("ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأإؤئپچژگ،؛؟ـًٌٍَُِّْ",),
    "cp874": ("".join(map(chr, range(0x0E01, 0x0E50))),),
}

FOREIGN_TO_LATIN = frozenset({"cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"})
"""Whose letters stand beside an ASCII one in hardly any word."""

BESIDE_ASCII = re.compile(r"(?<=[A-Za-z])[^\W\d_a-zA-Z]|[^\W\d_a-zA-Z](?=[A-Za-z])")

FREQUENT_CYRILLIC = frozenset("оеаинтсрвлі")
FREQUENT_SHARE = 0.45
"""Of the letters of any Cyrillic text at least so many, in capitals too."""

HAN_OR_KANA = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]+")

MIXED = 0.9
"""How well a reading fits that has letters of several languages at once; of one language: 1."""

LEADS: dict[str, tuple[tuple[str, tuple[tuple[int, int], ...]], ...]] = {
    # Strict standards, and the first bytes there of punctuation, kana and common characters ("level 1").
    "gb18030": (("gb2312", ((0xA1, 0xA5), (0xB0, 0xD7))), ("big5", ((0xA4, 0xC6),))),
    "cp950": (("big5", ((0xA1, 0xC6),)),),
    "cp932": (("cp932", ((0x81, 0x83), (0x88, 0x98))),),
    "euc_jp": (("euc_jp", ((0xA1, 0xA5), (0xB0, 0xCF))),),
    "cp949": (("euc_kr", ((0xA1, 0xA3), (0xB0, 0xC8))),),
}

UNFIT_WEIGHT = 0.5
"""Of a reading whose letters no language has, beside charset-normalizer's measure of disorder (0 … 1)."""

LEAST_FIT = 0.51
"""Below this a reading is no language at all."""

HANDICAPS = {"cp874": 0.1}
"""Thai has a letter for nearly every byte, so that a few Chinese characters are always Thai as well."""

DAMAGED_SHARE = 10
"""UTF-8 of which at most one character in so many is broken is UTF-8 that was cut, not another encoding."""

ZERO_OR_ASCII = b"\x00\t\n\r" + bytes(range(32, 127))

ZERO_BYTE_SHARE = 0.25
"""Where all other bytes are ASCII: half of UTF-16 are zeros then, of a text with stray ones few."""


@dataclass(frozen=True)
class DecodedText:
    """`encoding` is a name of ENCODINGS where it was guessed or chosen, empty where there is no doubt."""

    text: str
    encoding: str = ""


def decode_text(data: bytes, chosen: str = "") -> DecodedText | None:
    """The file's text: as somebody chose, or as its bytes say. None: it is in none of the encodings."""
    if chosen:
        return DecodedText(_decode_as(data, chosen), chosen)
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = _strict(data, codec)
            return None if text is None else DecodedText(text)
    if (wide := unmarked_utf16(data)) is not None:
        return DecodedText(data.decode(wide, "replace"), wide.replace("utf-16-", "utf-16"))
    if b"\x1b$" in data and data.isascii() and (text := _strict(data, "iso2022_jp_2")) is not None:
        return DecodedText(text, "iso-2022-jp")
    if (text := _strict(data, "utf-8")) is not None:
        return DecodedText(text)
    return _damaged_utf8(data) or _legacy(data) or _chinese_utf16(data)


def unmarked_utf16(data: bytes) -> str | None:
    """utf-16-le or -be where the bytes are text in it without a mark, which zero bytes tell. Else None."""
    zeros = data.count(0)
    if not zeros or len(data) % 2:
        return None
    if zeros < ZERO_BYTE_SHARE * len(data) and not data.translate(None, ZERO_OR_ASCII):
        return None
    sample = data[:SAMPLE_BYTES]
    readings = {
        codec: _strict(sample, codec) or _strict(sample[:-2], codec) for codec in ("utf-16-le", "utf-16-be")
    }
    texts = {codec: text for codec, text in readings.items() if text and all(map(_is_text, set(text)))}
    return max(texts, key=lambda codec: sum(map(str.isascii, texts[codec])), default=None)


def _chinese_utf16(data: bytes) -> DecodedText | None:
    """A line without blanks has no zero byte: what fits nothing else and is common characters throughout."""
    for name in ("utf-16le", "utf-16be"):
        text = _strict(data, ENCODINGS[name][0])
        if text and HAN_OR_KANA.fullmatch(text) and _fit(text, "gb18030") >= MIXED:
            return DecodedText(text, name)
    return None


def _is_text(character: str) -> bool:
    return character in "\t\n\v\f\r" or unicodedata.category(character) not in ("Cc", "Cn", "Co", "Cs")


def _decode_as(data: bytes, name: str) -> str:
    """As somebody chose: what does not fit becomes U+FFFD, so that they see that it does not."""
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark) and name.startswith(codec[:6]):
            return data.decode(codec, "replace")
    codecs_ = ENCODINGS[name]
    return next(
        (text for codec in codecs_ if (text := _strict(data, codec)) is not None),
        data.decode(codecs_[0], "replace"),
    )


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _damaged_utf8(data: bytes) -> DecodedText | None:
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(character > "\x7f" for character in text) - broken
    return DecodedText(text, "utf-8") if broken * DAMAGED_SHARE <= whole else None


def _legacy(data: bytes) -> DecodedText | None:
    sample = _sample(data)
    for codec in _fitting(sample):
        name = GUESSED[codec]
        for one in ENCODINGS[name]:
            if (text := _strict(data, one)) is not None:
                return DecodedText(text, name)
    return None


def _sample(data: bytes) -> bytes:
    """Lines that are not plain ASCII. No encoding here has a line feed inside of a character."""
    lines, size = [], 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > SAMPLE_BYTES:
                break
    return b"".join(lines)


def _fitting(sample: bytes) -> list[str]:
    """Codecs of GUESSED that the sample may be in, the likeliest first."""
    from charset_normalizer import from_bytes  # a tenth of a second that UTF-8 need not pay

    order = list(GUESSED)
    found = []
    for match in from_bytes(sample, cp_isolation=order, enable_fallback=False, preemptive_behaviour=False):
        for codec in {match.encoding, *(same.encoding for same in match.submatch)} & GUESSED.keys():
            fit = _fit(sample.decode(codec, "ignore"), codec)
            disorder = match.chaos + UNFIT_WEIGHT * (1 - fit) + HANDICAPS.get(codec, 0)
            if fit >= LEAST_FIT:
                found.append((round(disorder, 2), order.index(codec)))
    return [order[index] for _, index in sorted(found)]


def _fit(text: str, codec: str) -> float:
    """Which share of the characters beyond ASCII its languages use, 0 … 1."""
    counts = Counter(character.lower() for character in text if character > "\x7f")
    if codec in LEADS:
        return _share(counts, {one for one in counts if _is_common(one, codec)})
    if codec in FOREIGN_TO_LATIN:
        beside = Counter(found[0].lower() for found in BESIDE_ASCII.finditer(text))
        fitting = (
            _share(counts - beside, PUNCTUATION.union(LETTERS[codec][0])) - beside.total() / counts.total()
        )
        if LETTERS[codec][0] == CYRILLIC:
            fitting *= min(1, _share(counts, FREQUENT_CYRILLIC) / FREQUENT_SHARE)
        return fitting
    languages = [PUNCTUATION.union(letters) for letters in LETTERS[codec]]
    return max(
        MIXED * _share(counts, frozenset().union(*languages)), *(_share(counts, one) for one in languages)
    )


def _share(counts: Counter[str], known: Set[str]) -> float:
    return sum(count for one, count in counts.items() if one in known) / max(1, counts.total())


def _is_common(character: str, codec: str) -> bool:
    for standard, leads in LEADS[codec]:
        with suppress(UnicodeEncodeError):
            encoded = character.encode(standard)
            if len(encoded) > 1 and any(low <= encoded[0] <= high for low, high in leads):
                return True
    return False
