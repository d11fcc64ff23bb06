"""What `caption calibrate` says of thresholds that it found, or did not."""

from argparse import Namespace

import pytest

from nextreid.captions.calibrating import Calibrated
from nextreid.captions.calibration import Calibration
from nextreid.cli.caption_calibrate import _say
from nextreid.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("own", "together", "said", "warned"),
    [
        (0.8, 0.4, "from a confidence of 0.800 on; any other value is stated where all images", False),
        (1.0, 0.4, "decides nothing (together they are right more often); every value is stated", False),
        (None, 0.4, "(it is never surely 90 % right); every value is stated where all images", True),
        (0.8, None, "images together are never surely 90 % right, so every other value is left out", True),
        (None, None, "images together are never surely 90 % right, so nothing is stated", True),
    ],
)
def test_what_will_be_stated_is_said(
    own: float | None,
    together: float | None,
    said: str,
    warned: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Calibrated(
        calibration=Calibration(
            threshold=1.0 if own is None else own,
            complement_threshold=1.0 if together is None else together,
        ),
        fitted=70,
        unmapped=(),
        reached=(own is not None, together is not None),
        proof=None,
        slots=120,
        possible=400,
    )
    _say(found, Namespace(target_precision=0.9), Terminal())
    shown = capsys.readouterr()
    text = " ".join(shown.out.split())
    assert said in text
    assert "fills 120 of 400 slots" in text
    assert "(30 %)" in text
    assert ("label more observations" in " ".join(shown.err.split())) == warned
