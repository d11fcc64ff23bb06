"""Losses on branch features and identity logits."""
