"""How many tokens a question will take, before any is asked."""

import json
from collections.abc import Sequence

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question
from nextreid.captions.log import Record
from nextreid.captions.prompting import answer_schema, askable, instructions

LETTERS_A_TOKEN = 4.0
"""Letters of a token in instructions (a rule of thumb of OpenAI's for English)."""

LETTERS_A_JSON_TOKEN = 3.0
"""Letters of a token in JSON (ours: quotes and braces make tokens of their own)."""

IMAGE, TILE = 85, 170
"""Tokens of an image, and of each of its tiles of 512 pixels (OpenAI's rule for gpt-4o; others take less)."""

LOOKED_AT = 60
"""Images whose size is looked up (ours: crops of one data set are much alike, and a header costs a seek)."""


def expected_tokens(
    schema: Schema,
    questions: Sequence[Question],
    *,
    max_side: int | None = None,
    known: Sequence[Record] = (),
) -> tuple[float, float]:
    """Return the (read, written) tokens that one question takes on average.

    Args:
        schema: what is asked.
        questions: what will be asked; some of their images' headers are read.
        max_side: pixels to which larger images are shrunk.
        known: replies of the same model; where its server counted tokens, their mean is returned.
    """
    counted = [r.reply for r in known if r.reply.input_tokens and r.reply.output_tokens]
    if counted:
        total = [sum(r.input_tokens for r in counted), sum(r.output_tokens for r in counted)]
        return total[0] / len(counted), total[1] / len(counted)
    if not questions:
        return 0.0, 0.0
    words = {modality: _words(schema, modality) for modality in {q.modality for q in questions}}
    read = sum(words[q.modality][0] for q in questions) / len(questions)
    written = sum(words[q.modality][1] for q in questions) / len(questions)
    some = questions[:: max(1, len(questions) // LOOKED_AT)][:LOOKED_AT]
    return read + sum(_image_tokens(question, max_side) for question in some) / len(some), written


def _words(schema: Schema, modality: str) -> tuple[float, float]:
    """Return the tokens of instructions with the answer's schema, and of an answer."""
    form = json.dumps(answer_schema(schema, modality))
    asked = len(instructions(schema, modality)) / LETTERS_A_TOKEN + len(form) / LETTERS_A_JSON_TOKEN
    entries = {
        a.name: {"value": max(a.values, key=len), "confidence": 0.85} for a in askable(schema, modality)
    }
    return asked, len(json.dumps(entries)) / LETTERS_A_JSON_TOKEN


def _image_tokens(question: Question, max_side: int | None) -> float:
    """Return the tokens of one image by OpenAI's rule: at most 2048 a side and 768 the shorter, in tiles."""
    width, height = _size(question)
    limits = [1.0, 2048 / max(width, height), 768 / min(width, height)]
    limits += [max_side / max(width, height)] if max_side else []
    scale = min(limits)
    tiles = -(-width * scale // 512) * -(-height * scale // 512)
    return IMAGE + TILE * tiles


def _size(question: Question) -> tuple[int, int]:
    """Return width and height in pixels, of the box where there is one."""
    from PIL import Image

    box = question.row.boxes.get(question.modality)
    if box is not None:
        return max(1, box[2] - box[0]), max(1, box[3] - box[1])
    try:
        with Image.open(question.row.paths[question.modality]) as image:
            return max(1, image.width), max(1, image.height)
    except Exception:  # a file that cannot be read is told of when it is its turn
        return 1, 1
