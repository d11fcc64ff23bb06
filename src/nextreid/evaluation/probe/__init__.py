"""The zero-shot probe: what a joint space of images and sentences knows before training."""
