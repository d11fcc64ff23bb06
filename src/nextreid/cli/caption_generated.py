"""What `nextreid caption generate` says when it has asked."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextreid.cli.terminal import Terminal

if TYPE_CHECKING:
    from nextreid.captions.asking import Asked
    from nextreid.captions.generation import Answered
    from nextreid.captions.rule import Rule


def say_generated(
    out: Path, done: "Asked", found: "Answered", rule: "Rule", left_out: dict[str, Any], terminal: Terminal
) -> int:
    """Say what came of the asking and return the exit code.

    Args:
        out: the caption set.
        done: what was asked in this run.
        found: what the set holds now.
        rule: by which its captions were made.
        left_out: images that could not be read, for the JSON result.
        terminal: where it is said.
    """
    _say_asked(done, found, terminal)
    _say_captions(out, found, rule, terminal)
    if done.left:
        why = f"stopped by {done.stopped_by}"
        terminal.warn(f"{done.left} images are not asked about yet ({why}): the same command goes on.")
    if done.failed:
        terminal.warn(
            f"{done.failed} got no reply, and will be asked about again; the last: {done.last_error}"
        )
    if found.told:
        terminal.text(str(out))
    merged = found.merged
    terminal.result(
        {
            "captions": str(out) if found.told else None,
            "asked": asdict(done),
            "answers": found.answers,
            "faults": found.faults,
            "unknown": found.unknown,
            "rule": rule.notes(),
            "slots": len(merged.table.slots),
            "own": merged.own,
            "complemented": merged.complemented,
            "dropped": merged.dropped,
            "contradictions": len(merged.contradictions),
            "left_out": left_out,
        }
    )
    hopeless = done.asked > 0 and not found.told
    return 1 if done.failed or done.stopped_by == "failures" or hopeless else 0


def _say_asked(done: "Asked", found: "Answered", terminal: Terminal) -> None:
    cost = "" if done.cost is None else f", cost {done.cost:.4g}"
    rate = done.asked / max(done.seconds, 1e-9)
    terminal.text(
        f"{done.asked} images asked about ({rate:.1f} a second{cost}), {done.reused} answers were there; "
        f"{done.refused} refused, {done.failed} failed"
    )
    for model, reasons in found.faults.items():
        shown = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        terminal.text(f"    {model}: {shown or 'no fault'}")
        terminal.text(f"    {model} said unknown: {found.unknown[model]}")


def _say_captions(out: Path, found: "Answered", rule: "Rule", terminal: Terminal) -> None:
    if not found.told:
        terminal.warn(f"There is no answer yet: no captions are written to {out}.")
        return
    if rule.words():
        terminal.text(
            f"merged by the rule that the set notes: {rule.words()} (`nextreid caption merge` changes it)"
        )
    merged = found.merged
    terminal.text(
        f"{len(merged.table.slots)} slots: {merged.own} by their own image, {merged.complemented} "
        f"complemented; {merged.dropped} dropped, {len(merged.contradictions)} contradictions"
    )
