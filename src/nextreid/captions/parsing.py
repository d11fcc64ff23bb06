"""From the text that a model replied to claims in the schema's words; nothing else gets through.

A claim's value is always one of the schema's own strings, so whatever a reply holds, no letter of it
reaches a caption. What was not used, or was used only after a repair, is listed as a fault.
"""

import math
import re
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from nextreid.attributes.schema import Attribute, Schema
from nextreid.captions.answers import Answer, Claim, Fault, Outcome, Reply
from nextreid.captions.lenient_json import find_json
from nextreid.captions.log import LONGEST
from nextreid.captions.prompting import HIDDEN, askable

UNSTATED = 0.5
"""Confidence of a claim that states none that can be read (ours: it says nothing either way)."""

IN_WORDS: Mapping[str, float] = {"very low": 0.1, "low": 0.25, "medium": 0.5, "high": 0.75, "very high": 0.9}
"""Confidences written as words (ours: even steps; calibration corrects what a model means by them)."""

MOST_STRANGERS = 20
"""Unknown attributes listed of one reply (ours: a reply may hold 10,000, which tell nothing more)."""

DEEPEST_WRAPPER = 3
"""Objects of one entry that are opened to find the answer (ours: two have been seen, in agents' replies)."""

HIDDEN_WORDS = frozenset(
    {
        *("", HIDDEN, "none", "null", "n/a", "na", "not applicable", "not available", "unclear", "unsure"),
        *("unknowable", "undetermined", "indeterminate", "uncertain", "unspecified", "unidentifiable"),
        *(
            "not visible",
            "not clear",
            "not sure",
            "not shown",
            "cannot tell",
            "can't tell",
            "cannot determine",
        ),
    }
)
"""Ways of saying that a value cannot be told; a schema's own value of that name goes first."""

_SHOWN = 80  # letters of a fault's `given`, as `Fault` promises
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_REFUSAL = re.compile(
    r"\A\W*(i['’]?m sorry|sorry|i am sorry|i apologi[sz]e|i can(no|['’])t|i am unable|i['’]m unable|"
    r"i am not able|i['’]m not able|as an ai)\b",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s_\-]+")


class ReplyReader:
    """Reads replies in one schema.

    Args:
        schema: its attributes and values.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._names = {_plain(a.name): a for a in schema.attributes}
        self._groups = {_plain(group.name) for group in schema.groups} - set(self._names)
        self._values = {a.name: {_plain(value): value for value in a.values} for a in schema.attributes}
        self._asked: dict[str, frozenset[str]] = {}

    def read(self, reply: Reply, *, observation: str, modality: str, model: str) -> Answer:
        """Return what a reply claims.

        Args:
            reply: as it came, or as the log kept it.
            observation, modality, model: what was asked about, and who.

        Returns:
            Claims in the schema's order, of attributes that the modality can show. A claim's confidence is
            the stated one, or, where the reply's tokens tell how sure they were, the geometric mean of both.
        """
        claims: dict[str, Claim] = {}
        faults: list[Fault] = []
        outcome = self._into(claims, faults, reply, modality)
        ordered = {a.name: claims[a.name] for a in self.schema.attributes if a.name in claims}
        return Answer(observation, modality, model, ordered, tuple(faults), outcome)

    def _into(self, claims: dict[str, Claim], faults: list[Fault], reply: Reply, modality: str) -> Outcome:
        if reply.outcome != "answered":
            faults.append(Fault("", reply.outcome, shown(reply.error or reply.raw)))
            return reply.outcome
        text = reply.raw
        if len(text) >= LONGEST:
            faults.append(Fault("", "too long", shown(text)))
            return "answered"
        if _CONTROL.search(text):
            faults.append(Fault("", "control characters", shown(text), used=True))
            text = _CONTROL.sub(" ", text)
        if not text.strip():
            faults.append(Fault("", "empty"))
            return "answered"
        found = find_json(text, self._is_answer)
        if found is None:
            refused = refuses(text)
            faults.append(Fault("", "refused" if refused else "malformed", shown(text)))
            return "refused" if refused else "answered"
        if found.repaired:
            faults.append(Fault("", "malformed", shown(text), used=True))
        if found.prose:
            faults.append(Fault("", "prose around json", shown(text), used=True))
        faults += [Fault(name, "malformed", "stands twice", used=True) for name in self._known(found.twice)]
        if modality not in self._asked:
            self._asked[modality] = frozenset(a.name for a in askable(self.schema, modality))
        asked = self._asked[modality]
        self._claims(claims, faults, self._entries(found.value), reply.token_confidence, asked)
        return "answered"

    def _known(self, keys: tuple[str, ...]) -> list[str]:
        return [self._names[key].name for key in dict.fromkeys(map(_plain, keys)) if key in self._names]

    def _is_answer(self, value: Any) -> bool:
        return bool(self._entries(value))

    def _entries(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """Return attribute -> entry, out of lists of entries, group by group, or a wrapper or two."""
        if isinstance(value, list):
            parts = [part for part in value if isinstance(part, dict)]
            if parts and all("attribute" in part for part in parts):
                named = {str(part["attribute"]): part for part in parts}
                return named if any(_plain(key) in self._names for key in named) else {}
            inside: list[Any] = parts
        elif isinstance(value, dict):
            entries: dict[str, Any] = {}
            for key, entry in value.items():
                grouped = _plain(key) in self._groups and isinstance(entry, dict)
                entries.update(entry if grouped else {key: entry})
            if any(_plain(key) in self._names for key in entries):
                return entries
            inside = [part for part in value.values() if isinstance(part, dict | list)]
        else:
            return {}
        if depth < DEEPEST_WRAPPER:
            for part in inside:
                if found := self._entries(part, depth + 1):
                    return found
        return {}

    def _claims(
        self,
        claims: dict[str, Claim],
        faults: list[Fault],
        entries: dict[str, Any],
        tokens: Mapping[str, float],
        asked: Collection[str],
    ) -> None:
        strangers = 0
        seen: set[str] = set()
        for key, entry in entries.items():
            attribute = self._names.get(_plain(key))
            if attribute is None:
                strangers += 1
                if strangers <= MOST_STRANGERS:
                    faults.append(Fault("", "unknown attribute", shown(key)))
                continue
            if attribute.name in seen:
                faults.append(Fault(attribute.name, "malformed", "stands twice", used=True))
                continue
            if isinstance(entry, dict) and "value" not in entry:  # cut off, most often
                continue
            seen.add(attribute.name)
            stated = entry.get("value") if isinstance(entry, dict) else entry
            if attribute.name not in asked:
                if not _is_hidden(stated):
                    faults.append(Fault(attribute.name, "not observable", shown(stated)))
                continue
            value = self._value(attribute, stated, faults)
            if value is None:
                continue
            given = entry.get("confidence") if isinstance(entry, dict) else None
            sure = _confidence(attribute.name, given, faults)
            if attribute.name in tokens:
                sure = math.sqrt(sure * min(1.0, max(0.0, tokens[attribute.name])))
            claims[attribute.name] = Claim(value, sure)
        if strangers > MOST_STRANGERS:
            faults.append(Fault("", "unknown attribute", f"and {strangers - MOST_STRANGERS} more"))
        for attribute in self.schema.attributes:
            if attribute.name in asked and attribute.name not in seen:
                faults.append(Fault(attribute.name, "missing"))

    def _value(self, attribute: Attribute, stated: Any, faults: list[Fault]) -> str | None:
        """Return the schema's value, or None with a fault that says why there is none."""
        if isinstance(stated, str) and (value := self._values[attribute.name].get(_plain(stated))):
            return value
        if _is_hidden(stated):
            faults.append(Fault(attribute.name, "hidden", shown(stated or "")))
        else:
            faults.append(Fault(attribute.name, "value not allowed", shown(stated)))
        return None


def refuses(text: str) -> bool:
    """Tell whether a text declines in prose, and holds no JSON object that might be an answer."""
    if len(text) >= LONGEST or _REFUSAL.search(text) is None:
        return False
    return find_json(text, lambda value: isinstance(value, dict) and bool(value)) is None


def _is_hidden(stated: Any) -> bool:
    return stated is None or (isinstance(stated, str) and _plain(stated) in HIDDEN_WORDS)


def parse_reply(reply: Reply, *, schema: Schema, observation: str, modality: str, model: str) -> Answer:
    """Read one reply; `ReplyReader` reads many of one schema."""
    return ReplyReader(schema).read(reply, observation=observation, modality=modality, model=model)


def shown(given: object, most: int = _SHOWN) -> str:
    """Return what may be shown of something hostile: at most `most` printable ASCII characters."""
    text = (given if isinstance(given, str) else reprlib.repr(given))[: most + 1]
    escaped = text.encode("ascii", "backslashreplace").decode("ascii")
    escaped = "".join(sign if " " <= sign <= "~" else repr(sign)[1:-1] for sign in escaped)
    return escaped if len(escaped) <= most else escaped[: most - 3] + "..."


def _plain(text: object) -> str:
    """Return a name or value without what does not count: case, separators, an article."""
    plain = _SEPARATORS.sub(" ", str(text).strip()).casefold() if isinstance(text, str) else ""
    for article in ("a ", "an ", "the "):
        plain = plain.removeprefix(article)
    return plain.strip(" .")


def _confidence(attribute: str, given: object, faults: list[Fault]) -> float:
    """Return 0..1: the number given, or what its words or percent mean (a fault), else `UNSTATED`."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1:
        return float(given)
    faults.append(
        Fault(attribute, "bad confidence", shown(given if given is not None else "none"), used=True)
    )
    text = given.strip().lower() if isinstance(given, str) else ""
    if text in IN_WORDS:
        return IN_WORDS[text]
    number = _number(text.removesuffix("%") if text else given)
    if number is None:
        return UNSTATED
    if 0 <= number <= 1 and not text.endswith("%"):
        return number
    # 85 and "2 %" are percent; 1.7 and 7 may be anything (ours: from 10 on there is no other scale in use)
    if 0 <= number <= 100 and (text.endswith("%") or number > 10):
        return number / 100
    return UNSTATED


def _number(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
