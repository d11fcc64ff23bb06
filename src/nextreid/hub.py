"""Whether the model hub answers at all: asked once, since the libraries that read from it ask for minutes."""

from pathlib import Path

from nextreid.errors import InputError

ANSWER_SECONDS = 10.0
"""The hub library's own limit for one question."""


def hub_answers(name: str, revision: str = "main") -> bool:
    """Ask the hub one question, once; where it does not answer, only its cache on this machine is of use.

    Args:
        name: owner/name of a model.
        revision: branch, tag or commit.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json", revision=revision), timeout=ANSWER_SECONDS)
    except HfHubHTTPError:
        return True  # it answered "no": whoever loads the model says why
    except Exception:  # no network, a proxy, offline mode: the client's errors change with its version
        return False
    return True


def cached_model(name: str) -> Path:
    """Return the folder of the hub's cache that holds a model; loaders ask the hub whatever they are told.

    Raises:
        InputError: it is not there.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # as in hub_answers
        raise InputError(
            f"The hub does not answer, and its cache on this machine does not hold the model {name}",
            allowed="a folder, or a hub id where there is a network or the model was loaded before",
            do="check the name and the network, or copy the model's folder here and give that",
        ) from error
