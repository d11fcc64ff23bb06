"""Data: manifests, images, batches, augmentation and loaders."""
