"""Embedding: observations to vectors, their files, and distances between them."""
