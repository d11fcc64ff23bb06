"""Image-text pretraining of the small CLIP that the package ships."""
