"""The text tower in pretraining: sentences in, embeddings out, the known ones from a table."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nextreid.model.clip import Clip
from nextreid.model.tokenizer import CONTEXT

LENGTHS = (16, 32, CONTEXT)
"""Lengths in tokens that texts are padded to: most say one value in at most 16."""

ROWS = 16
"""Texts of a length are padded to a multiple of this: a CPU plans its kernels anew for every new shape."""


class TextTower(nn.Module):
    """The text half of a CLIP.

    Args:
        clip: its weights are used in place.
    """

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.text = clip.model.text_model
        self.projection = clip.model.text_projection
        self.tokenizer: Any = clip.tokenizer
        self._known: dict[str, int] = {}
        self._table: Tensor | None = None

    def remember(self, texts: Sequence[str]) -> None:
        """Embed texts that will be heard again and again, once; the weights may not change afterwards."""
        with torch.no_grad():
            parts = [self.embed(texts[at : at + 256]) for at in range(0, len(texts), 256)]
        self._table = torch.cat(parts)
        self._known = {text: row for row, text in enumerate(texts)}

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Return embeddings, (S,D), not normalised, of remembered and new texts."""
        new = [at for at, text in enumerate(texts) if text not in self._known]
        if self._table is None:
            return self.embed(texts)
        rows = torch.tensor([self._known.get(text, 0) for text in texts], device=self._table.device)
        found = self._table[rows]
        if new:
            fresh = self.embed([texts[at] for at in new])
            found = found.index_copy(0, torch.tensor(new, device=found.device), fresh.to(found.dtype))
        return found

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return embeddings, (S,D), not normalised; texts of similar length go together."""
        rows = self.tokenizer(list(texts), truncation=True)["input_ids"]  # to CONTEXT
        order: list[int] = []
        parts: list[Tensor] = []
        for least, most in zip((0, *LENGTHS), LENGTHS, strict=False):
            part = [at for at, row in enumerate(rows) if least < len(row) <= most]
            if part:
                order += part
                parts.append(self._encode([rows[at] for at in part], most))
        back = torch.tensor(order, device=parts[0].device).argsort()
        return torch.cat(parts)[back]

    def _encode(self, rows: list[list[int]], length: int) -> Tensor:
        """Return embeddings of token rows padded to a length, their number to a multiple of `ROWS`."""
        count = -(-len(rows) // ROWS) * ROWS
        ids = torch.full((count, length), self.tokenizer.pad_token_id)
        mask = torch.zeros(count, length, dtype=torch.long)
        for at in range(count):
            row = rows[min(at, len(rows) - 1)]
            ids[at, : len(row)], mask[at, : len(row)] = torch.tensor(row), 1
        device = self.projection.weight.device
        pooled = self.text(input_ids=ids.to(device), attention_mask=mask.to(device)).pooler_output
        projected: Tensor = self.projection(pooled)
        return projected[: len(rows)]
