"""Captions: sentences about observations, joined to a data set by observation."""
