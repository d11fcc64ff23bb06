"""Training: optimiser, Lightning module, the fit loop with its checkpoints and logs."""
