"""What the experts cost: the backbone alone against the whole of NEXT, in turn within one run.

    python benchmarks/expert_cost.py [--device auto] [--batch 4] [--rounds 7] [--config vit-b16|small]

ViT-B/16 with random weights at 256x128, three modalities, default expert numbers and widths, captions
cached. Each round times the backbone, then NEXT, then each baseline; the figures are medians of the
per-round ratios. bf16 where the device has it. Written to benchmarks/results/expert_cost_<device>.json.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from nextreid.attributes.schema import load_schema
from nextreid.data.batch import Batch
from nextreid.embedding.embedder import choose_device
from nextreid.evaluation.results.provenance import hardware, versions
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import Clip, load_clip

RESULTS = Path(__file__).parent / "results"
MODALITIES = ("rgb", "nir", "tir")


def vit_b16() -> Clip:
    """CLIP ViT-B/16 with random weights; the text tower is small, because its output is cached."""
    from transformers import CLIPConfig, CLIPModel

    small = load_clip("builtin:small", corpus=["a person"])
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
    vision |= {"num_attention_heads": 12, "image_size": 224, "patch_size": 16}
    text = small.model.config.text_config.to_dict()
    config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=512)
    return Clip(model=CLIPModel(config), tokenizer=small.tokenizer, origin="scratch")


def flops_of_backbone(batch: int, size: tuple[int, int]) -> float:
    """Multiply-adds x 2 of ViT-B/16 forward on batch x 3 images (attention and MLP matrices)."""
    tokens, width = (size[0] // 16) * (size[1] // 16) + 1, 768
    per_layer = 2 * tokens * 12 * width**2 + 4 * tokens**2 * width
    patches = 2 * (tokens - 1) * 3 * 16 * 16 * width
    return batch * 3 * (12 * per_layer + patches + 2 * tokens * width * 512)


def main() -> None:
    """Time and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--config", choices=["vit-b16", "small"], default="vit-b16")
    options = parser.parse_args()
    device = choose_device(options.device)
    size = (256, 128) if options.config == "vit-b16" else (192, 96)
    schema = load_schema("person").to_dict()

    def build(name: str) -> torch.nn.Module:
        clip = vit_b16() if options.config == "vit-b16" else load_clip("builtin:small", corpus=["a person"])
        return build_model(Architecture(MODALITIES, schema, name=name, size=size), clip).to(device)

    models = {name: build(name) for name in ("next", "concat", "moe")}
    K, B = len(models["next"].generic), options.batch
    batch = Batch(
        images={m: torch.randn(B, 3, *size) for m in MODALITIES},
        present=torch.ones(B, 3, dtype=torch.bool),
        modalities=MODALITIES,
        named=None,
        camera=(None,) * B,
        prompts=(((),) * K,) * B,
        observation=tuple(str(i) for i in range(B)),
        noise_seed=torch.arange(B),
    ).to(device)

    def backbone() -> torch.Tensor:
        tokens = models["next"].encoder(batch)
        return tokens.classes.float().square().mean() + tokens.patches.float().square().mean()

    def whole(name: str) -> torch.Tensor:
        return sum(f.float().square().mean() for f in models[name](batch).branches.values())

    work = {"backbone": backbone} | {name: (lambda name=name: whole(name)) for name in models}

    def seconds(name: str, train: bool) -> float:
        for model in models.values():
            model.train(train).zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.set_grad_enabled(train), torch.autocast(device.type, torch.bfloat16):
            loss = work[name]()
        if train:
            loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    report: dict[str, object] = {
        "command": f"python benchmarks/expert_cost.py --config {options.config} --batch {B}",
        "rounds": options.rounds,
        "size": size,
        "batch": B,
        "precision": "bf16",
        "hardware": hardware(device.type),
        "versions": versions(),
    }
    for mode, train in (("inference", False), ("training", True)):
        for name in work:
            seconds(name, train)
        rounds = [{name: seconds(name, train) for name in work} for _ in range(options.rounds)]
        base = statistics.median(r["backbone"] for r in rounds)
        row: dict[str, float] = {"backbone_observations_per_second": B / base}
        for name in models:
            ratios = sorted(r[name] / r["backbone"] for r in rounds)
            row[f"{name}_over_backbone"] = statistics.median(ratios)
            row[f"{name}_over_backbone_min"], row[f"{name}_over_backbone_max"] = ratios[0], ratios[-1]
            row[f"{name}_observations_per_second"] = B / statistics.median(r[name] for r in rounds)
        if options.config == "vit-b16":
            row["backbone_tflops"] = flops_of_backbone(B, size) * (3 if train else 1) / base / 1e12
        report[mode] = row
        print(mode, json.dumps(row, indent=2))
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"expert_cost_{options.config}_{device.type}.json"
    out.write_text(json.dumps(report, indent=2) + "\n")
    print(out)


if __name__ == "__main__":
    main()
