"""Scenarios: what deployments meet. One file each, with `run` for results.json and `section` for people."""
