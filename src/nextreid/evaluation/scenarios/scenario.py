"""What every scenario is given, and how one says that it cannot be run here.

A scenario is a function `run(context) -> dict`: plain JSON values, the entry of results.json under
`scenarios.<name>`. How the entry is shown is a function beside it, named in `report_markdown.py`. A module
may also have `check(inputs)`, which raises `NotPossibleError` before anything is embedded.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nextreid.captions.sentences import Captions
from nextreid.data.manifest import Manifest
from nextreid.embedding.embeddings import Embeddings
from nextreid.errors import InputError
from nextreid.evaluation.evaluate import Evaluation
from nextreid.progress import Progress, Silent

if TYPE_CHECKING:
    from nextreid.embedding.embedder import NextReID

SCENARIOS = ("missing", "any-to-any", "random-drop", "unseen", "text", "fine-grained", "consistency")
"""All scenarios, in the order in which they are run and shown."""

FROM_SUBSETS = ("missing", "any-to-any", "random-drop", "unseen")
"""Those that need the embeddings of every subset of the modalities."""


class NotPossibleError(InputError):
    """A scenario that this data set or model does not allow: an error by name, a note under `all`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScenarioInputs:
    """What is known before anything is embedded.

    Attributes:
        manifest: the whole data set.
        split: which rows are scored.
        model: what makes the embeddings; None where they were read from a file.
        model_path: its folder, as given.
        captions: of the data set, as chosen for the run.
    """

    manifest: Manifest
    split: str = "test"
    model: "NextReID | None" = None
    model_path: str | None = None
    captions: Captions = field(default_factory=Captions)


@dataclass(frozen=True, eq=False, kw_only=True)
class ScenarioContext(ScenarioInputs):
    """What every scenario may use, beside the inputs.

    Attributes:
        embeddings: of the split; with subsets where a scenario of `FROM_SUBSETS` was asked for.
        full: the scores with everything shown; its protocol, metric, bootstrap and seed are used.
        batch_size: observations that the model reads at a time.
        progress: whatever draws it.
    """

    embeddings: Embeddings
    full: Evaluation
    batch_size: int = 64
    progress: Progress = field(default_factory=Silent)
