"""A setting: one environment variable with its rule and default, read and checked.

A value is taken as it stands: nothing in it is a reference, a quote or an escape. A variable that is empty or
holds blanks alone counts as not set. The process's settings are declared with this in
`inference/configuration.py` and `chatsite/environment/declared.py`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from msgspec import Meta

LARGEST_WHOLE = 2**31 - 1
"""Upper end of whole numbers that have no end of their own: what a database column and a C int hold."""

SHOWN_CHARS = 100
"""Characters of a wrong value that its message repeats."""

TRUE, FALSE = (
    frozenset({"1", "true", "yes", "on", "y", "t"}),
    frozenset({"0", "false", "no", "off", "n", "f"}),
)


class SettingError(ValueError):
    """A setting is invalid; the message names variable, value (but no secret), rule and remedy."""


class RuleError(ValueError):
    """A value breaks a rule; the message is the whole sentence that follows the variable's name."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable. `rule` completes "must be …", `remedy` replaces the usual advice.

    `parse` gets the value and raises ValueError for the rule, RuleError for a sentence of its own. A `secret`
    is never repeated. Blanks around a value are dropped, unless it is `literal`.
    """

    name: str
    parse: Callable[[str], Any]
    rule: str = ""
    default: Any = None
    remedy: str = ""
    secret: bool = False
    literal: bool = False

    def read(self, environment: Mapping[str, str]) -> Any:
        """The value in this environment, the default where it is not set. Raises SettingError."""
        raw = environment.get(self.name, "")
        if not raw.strip():
            return self.default
        value = raw if self.literal else raw.strip()
        try:
            value.encode()
            return self.parse(value)
        except UnicodeEncodeError:
            message = "must be UTF-8 text. Set it again in a terminal or file that writes UTF-8."
        except RuleError as error:
            message = str(error)
        except ValueError:
            message = f"must be {self.rule}. {self.remedy or self._advice()}"
        shown = "" if self.secret else f"={shortened(value)}"
        raise SettingError(f"{self.name}{shown}: {message}") from None

    def _advice(self) -> str:
        if self.secret or self.default in (None, "", (), []):
            return "Correct it, or unset it."
        default = str(self.default).lower() if isinstance(self.default, bool) else self.default
        return f"Correct it, or unset it (default {default})."


def shortened(value: str) -> str:
    """The value for a message, in one line, with quotes around it."""
    return repr(value if len(value) <= SHOWN_CHARS else value[:SHOWN_CHARS] + "…")


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known word that was probably meant, or "" where none is as near (difflib's ratio)."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)), "")


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The sentence that offers the nearest known word, after a blank; or ""."""
    found = nearest(word, known, likeness)
    return f" Did you mean {found}?" if found else ""


def problems(settings: Iterable[Setting], environment: Mapping[str, str]) -> list[str]:
    """One line for each of these settings that is wrong in this environment."""
    found = []
    for setting in settings:
        try:
            setting.read(environment)
        except SettingError as error:
            found.append(str(error))
    return found


# --- kinds of settings -----------------------------------------------------------------------------------


def text(name: str, default: str = "") -> Setting:
    """Words without the blanks around them."""
    return Setting(name=name, parse=str, default=default)


def literal_text(name: str) -> Setting:
    """Words as they stand, blanks included."""
    return Setting(name=name, parse=str, default="", literal=True)


def secret_text(name: str) -> Setting:
    """A secret as it stands, blanks included."""
    return Setting(name=name, parse=str, default="", literal=True, secret=True)


def flag(name: str, default: bool) -> Setting:
    """true or false, and the usual words for them."""

    def parse(value: str) -> bool:
        if value.lower() in TRUE | FALSE:
            return value.lower() in TRUE
        raise ValueError

    return Setting(name=name, parse=parse, rule="true or false", default=default)


def whole(name: str, low: int, high: int = LARGEST_WHOLE, default: int | None = None) -> Setting:
    """A whole number from `low` to `high`."""

    def parse(value: str) -> int:
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or not low <= int(value) <= high:
            raise ValueError
        return int(value)

    return Setting(name=name, parse=parse, rule=f"a whole number from {low} to {high}", default=default)


def number(
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    default: float | None = None,
    *,
    above: bool = False,
    below: bool = False,
    finite: bool = True,
) -> Setting:
    """A number from `low` to `high`; `above` and `below` leave the ends themselves out."""

    def parse(value: str) -> float:
        parsed = float(value)
        fits = (parsed > low if above else parsed >= low) and (parsed < high if below else parsed <= high)
        if not fits or (finite and not math.isfinite(parsed)):
            raise ValueError
        return parsed

    begins = f"above {low:g}" if above else f"of at least {low:g}"
    ends = f"below {high:g}" if below else f"of at most {high:g}"
    bounds = [words for end, words in ((low, begins), (high, ends)) if math.isfinite(end)]
    rule = " and ".join(["a number", *bounds]).replace("a number and", "a number", 1)
    return Setting(name=name, parse=parse, rule=rule, default=default)


def choice(name: str, choices: tuple[str, ...], default: str = "", *, upper: bool = False) -> Setting:
    """One of these words, by default the first; `upper` takes small letters for capitals."""

    def parse(value: str) -> str:
        word = value.upper() if upper else value.lower()
        if word in choices:
            return word
        raise RuleError(f"must be one of {', '.join(choices)}.{did_you_mean(word, choices)}")

    return Setting(name=name, parse=parse, default=default or choices[0])


def of_field(name: str, hint: Any, default: Any, *, finite: bool = True) -> Setting:
    """The setting of a struct's field: `hint` is int, float or str, with msgspec's bounds where annotated."""
    kind, meta = get_args(hint) or (hint, Meta())
    if kind is str:
        return text(name, default)
    if kind is int:
        low = meta.ge if meta.ge is not None else -LARGEST_WHOLE
        return whole(name, int(low), int(meta.le) if meta.le is not None else LARGEST_WHOLE, default)
    low, above = (meta.gt, True) if meta.gt is not None else (meta.ge, False)
    high, below = (meta.lt, True) if meta.lt is not None else (meta.le, False)
    return number(
        name, -math.inf if low is None else low, math.inf if high is None else high, default,
        above=above, below=below, finite=finite,
    )  # fmt: skip
