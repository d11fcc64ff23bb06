"""Whatever can be asked about images: one file a kind of model."""
