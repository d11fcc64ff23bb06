"""A vision-language model of a few thousand weights, as a folder; no network, no torchvision."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>", "<answer>")
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}<answer>"
)
SIDE, PATCH, WIDTH = 16, 8, 32


def make_tokenizer(letters: str, pieces: Sequence[str]) -> Any:
    """One token a letter, and the pieces of an answer, which no text is cut into."""
    from transformers import PreTrainedTokenizerFast

    names = dict.fromkeys([*SPECIAL, *sorted(set(letters)), *pieces])
    model = models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.add_special_tokens({"additional_special_tokens": ["<image>", "<answer>"]})
    return made


def make_folder(
    folder: Path, *, letters: str, answer: Sequence[tuple[str, float]] = (), chat: bool = True
) -> Path:
    """Write a LLaVA of one layer.

    Args:
        folder: to be written.
        letters: that the tokenizer knows.
        answer: (piece, probability): what it answers to everything after `<answer>`, whatever it is shown;
            at most 31 pieces, none twice. Empty: its weights are random.
        chat: give it a chat template.
    """
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaImageProcessorPil,
        LlavaProcessor,
    )

    tokenizer = make_tokenizer(letters, [piece for piece, _ in answer])
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=SIDE, patch_size=PATCH, projection_dim=16,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=8192,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<image>")
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config)
    if answer:
        _teach(model, tokenizer, answer)
    model.save_pretrained(folder)
    processor = LlavaProcessor(
        image_processor=LlavaImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE if chat else None,
    )
    processor.save_pretrained(folder)
    return folder


def _teach(model: Any, tokenizer: Any, answer: Sequence[tuple[str, float]]) -> None:
    """Set the weights so that each piece follows the one before with its probability."""
    import torch

    language, head = model.model.language_model, model.lm_head.weight
    chain = ["<answer>", *(piece for piece, _ in answer), "</s>"]
    chances = [*(chance for _, chance in answer), 0.999]
    ids = tokenizer.convert_tokens_to_ids(chain)
    assert len(set(ids)) == len(ids) <= WIDTH + 1
    with torch.no_grad():
        layer = language.layers[0]
        layer.self_attn.o_proj.weight.zero_()  # nothing is added to a token: what follows depends on it alone
        layer.mlp.down_proj.weight.zero_()
        head.zero_()
        for place, (now, then, chance) in enumerate(zip(ids[:-1], ids[1:], chances, strict=True)):
            direction = torch.zeros(WIDTH)
            direction[place] = 1.0
            language.embed_tokens.weight[now] = direction
            score = math.log(chance * (len(tokenizer) - 1) / (1 - chance))
            head[then] = (
                direction * score / math.sqrt(WIDTH)
            )  # the last norm gives a token the length sqrt(D)
