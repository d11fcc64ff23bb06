"""A small byte-level BPE tokenizer of our own, made from given sentences, without network."""

from collections.abc import Sequence
from typing import Any

BEGIN, END, PAD = "<|startoftext|>", "<|endoftext|>", "<|pad|>"
CONTEXT = 77  # CLIP's text length, begin and end included


def build_tokenizer(corpus: Sequence[str], *, vocabulary: int = 1024) -> Any:
    """Train a tokenizer on sentences and return it in Hugging Face form.

    Lower-cased, byte-level (any text can be written), deterministic in the corpus. Ends every text
    with `END`, pads with `PAD`: three different ids, which the text configuration must name, or CLIP
    pools the wrong position.

    Args:
        corpus: sentences with the wording it should know; order does not matter.
        vocabulary: largest number of tokens (at least 259: 256 bytes and 3 specials).
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(set(corpus)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (BEGIN, END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
    )
