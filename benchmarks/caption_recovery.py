"""How much of the published captions is recovered as attributes, and what is not.

    python benchmarks/caption_recovery.py [--captions FOLDER] [--kind person] [--list FILE]

Reads every `{train,test}_*.json` of a folder of published captions (without --captions: NEXT's for RGBNT201,
where they lie beside the repository). Counts the words that belong to a recovered value or to the sentence
around one, writes each distinct set of values as a caption and reads it again, and holds the reading against
the labels of tests/captions/labelled_200.json where they are of these captions. Writes
benchmarks/results/caption_recovery.json with the commonest words that are left over; --list writes all.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from nextreid.attributes import Grammar, load_schema
from nextreid.attributes.recovery import Recovery
from nextreid.captions.published import read_items

ROOT = Path(__file__).parents[1]
CAPTIONS = ROOT.parent / "shared" / "data" / "captions" / "next_rgbnt201"
LABELS = ROOT / "tests" / "captions" / "labelled_200.json"
SHOWN = 60
"""Left-over phrases in the results (ours: the rest are single slips; --list has them)."""


def main() -> None:
    """Read the captions and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captions", type=Path, default=CAPTIONS)
    parser.add_argument("--kind", default="person")
    parser.add_argument("--list", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "caption_recovery.json")
    options = parser.parse_args()
    if not options.captions.is_dir():
        print(f"{options.captions} is not there: nothing to read (name a folder with --captions)")
        return
    schema = load_schema(options.kind)
    reader, grammar = Recovery(schema), Grammar(schema)
    held = {
        (path.name, item): text
        for path in sorted(options.captions.glob("t*_*.json"))
        for item, text in read_items(path)
    }
    words = covered = 0
    left: Counter[tuple[str, tuple[str, ...]]] = Counter()
    filled: Counter[str] = Counter()
    stated: dict[tuple[tuple[str, str], ...], None] = {}
    values = {}
    for place, text in held.items():
        found = reader.read(text)
        values[place] = found.values
        words, covered = words + found.words, covered + found.covered
        left.update((part.text, part.attributes) for part in found.unplaced)
        filled.update(list(found.values))
        stated[tuple(found.values.items())] = None
    again = [reader.read(grammar.caption(dict(told))) for told in stated]
    kept = sum(tuple(found.values.items()) == told for found, told in zip(again, stated, strict=True))
    labels = [
        label for label in json.loads(LABELS.read_text())["labels"] if (label["file"], label["item"]) in held
    ]
    slots = [
        (label["attributes"].get(name), values[label["file"], label["item"]].get(name))
        for label in labels
        for name in {*label["attributes"], *values[label["file"], label["item"]]}
    ]
    rows = [
        {"text": text, "of": list(attributes), "captions": count}
        for (text, attributes), count in sorted(left.items(), key=lambda entry: (-entry[1], entry[0]))
    ]
    report = {
        "captions": len(held),
        "words": words,
        "words_accounted_for": covered,
        "share": covered / words if words else 0.0,
        "filled": {a.name: filled[a.name] for a in schema.attributes},
        "written_and_read_again": {"sets_of_values": len(stated), "same": kept},
        "labelled": {
            "captions": len(labels),
            "slots": len(slots),
            "right": sum(label == read for label, read in slots),
        },
        "left_over": {"different": len(rows), "commonest": rows[:SHOWN]},
    }
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.list:
        options.list.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(
        json.dumps({key: report[key] for key in ("captions", "share", "written_and_read_again", "labelled")})
    )


if __name__ == "__main__":
    main()
